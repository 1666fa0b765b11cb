// SPDX-License-Identifier: MIT

// A receiver that applies each event once: it verifies, remembers, applies, answers.
//
//	DATABASE_URL=postgresql:///billing WEBHOOK_SECRET=whsec_… PORT=8000 go run receiver.go
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	_ "github.com/lib/pq"
)

var database, _ = sql.Open("postgres", os.Getenv("DATABASE_URL"))

// Whether body is from who has the secret, and was sent now.
func isGenuine(header http.Header, body []byte) bool {
	sentAt, _ := strconv.ParseInt(header.Get("webhook-timestamp"), 10, 64)
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(os.Getenv("WEBHOOK_SECRET"), "whsec_"))
	mac := hmac.New(sha256.New, key)
	io.WriteString(mac, header.Get("webhook-id")+"."+header.Get("webhook-timestamp")+"."+string(body))
	right := []byte("v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	for _, given := range strings.Fields(header.Get("webhook-signature")) {
		if hmac.Equal(right, []byte(given)) {
			return time.Since(time.Unix(sentAt, 0)).Abs() < 5*time.Minute
		}
	}
	return false
}

// One statement, one transaction. In its WHERE the function could be asked twice: it is evaluated anew for a changed row.
const apply = `WITH first AS MATERIALIZED (SELECT postrider_first_time($1, 'billing') AS is_first)
	UPDATE accounts SET cents = cents + ($2::jsonb ->> 'cents')::bigint
	FROM first WHERE is_first AND name = $2::jsonb ->> 'account'`

func receive(response http.ResponseWriter, request *http.Request) {
	var event struct{ Data json.RawMessage }
	body, err := io.ReadAll(request.Body)
	status := http.StatusNoContent
	if err != nil || !isGenuine(request.Header, body) || json.Unmarshal(body, &event) != nil {
		status = http.StatusBadRequest
	} else if _, err = database.Exec(apply, request.Header.Get("webhook-id"), string(event.Data)); err != nil {
		status = http.StatusServiceUnavailable // it is sent again
	}
	response.WriteHeader(status)
}

func main() {
	panic(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), http.HandlerFunc(receive)))
}
