-- What is said to a customer of whom 20 replays run.
'20 replays of yours have not finished: wait until one has, or stop one'
