// SPDX-License-Identifier: MIT

// The application with the HTTP server of Go's library.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

var limit, _ = strconv.ParseInt(os.Getenv("LIMIT"), 10, 64)

func answer(writer http.ResponseWriter, request *http.Request) {
	_, err := io.Copy(io.Discard, http.MaxBytesReader(writer, request.Body, limit))
	if err != nil {
		http.Error(writer, "no", http.StatusRequestEntityTooLarge)
		return
	}
	record, err := os.OpenFile(os.Getenv("RECORD"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		log.Fatal(err)
	}
	defer record.Close()
	_, port, _ := net.SplitHostPort(request.RemoteAddr)
	fmt.Fprintf(record, "%s %s\n", request.Header.Get("X-Event-ID"), port)
	if _, err := os.Stat(os.Getenv("BROKEN")); err == nil {
		http.Error(writer, "broken", http.StatusInternalServerError)
		return
	}
	fmt.Fprintln(writer, "ok")
}

func main() {
	server := &http.Server{Addr: "127.0.0.1:" + os.Getenv("PORT"), Handler: http.HandlerFunc(answer)}
	if seconds, err := strconv.Atoi(os.Getenv("KEEP_ALIVE_S")); err == nil {
		server.IdleTimeout = time.Duration(seconds) * time.Second
	}
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	ended := make(chan struct{})
	go func() {
		<-told
		server.Shutdown(context.Background())
		close(ended)
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
	<-ended
}
