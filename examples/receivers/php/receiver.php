<?php
// SPDX-License-Identifier: MIT
// A receiver that applies each event once: it verifies, remembers, applies, answers.
//
//     DATABASE_URL="pgsql:dbname=billing" WEBHOOK_SECRET=whsec_… php -S 127.0.0.1:8000 receiver.php
declare(strict_types=1);

/** Throws unless $body is from who has the secret, and was sent now; returns the event's id. */
function verify(string $body): string
{
    $id = $_SERVER['HTTP_WEBHOOK_ID'] ?? '';
    $sentAt = $_SERVER['HTTP_WEBHOOK_TIMESTAMP'] ?? '';
    if (abs(time() - (int) $sentAt) > 300) {
        throw new UnexpectedValueException('too old or too new');
    }
    $key = base64_decode(substr(getenv('WEBHOOK_SECRET'), strlen('whsec_')));
    $right = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$sentAt.$body", $key, true));
    foreach (explode(' ', $_SERVER['HTTP_WEBHOOK_SIGNATURE'] ?? '') as $given) {
        if (hash_equals($right, $given)) {
            return $id;
        }
    }
    throw new UnexpectedValueException('no signature matches');
}

/** All in one transaction: a crash undoes that the event was remembered, too. */
function apply(string $id, array $payment): void
{
    $database = new PDO(getenv('DATABASE_URL'), null, null, [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
    $database->beginTransaction();
    $first = $database->prepare("SELECT postrider_first_time(?, 'billing')");
    $first->execute([$id]);
    if ($first->fetchColumn()) {
        $database->prepare('UPDATE accounts SET cents = cents + ? WHERE name = ?')
            ->execute([$payment['cents'], $payment['account']]);
    }
    $database->commit();
}

try {
    $body = file_get_contents('php://input');
    $id = verify($body);
    apply($id, json_decode($body, true, 512, JSON_THROW_ON_ERROR)['data']);
    http_response_code(204);
} catch (PDOException $error) {
    http_response_code(503); // it is sent again
} catch (UnexpectedValueException | JsonException $error) {
    http_response_code(400); // it is not
}
