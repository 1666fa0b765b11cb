-- SPDX-License-Identifier: MIT
-- wrk's requests: each with an Idempotency-Key of its own. Its arguments: token, customer.
local threads = 0

function setup(thread)
    thread:set("number", threads)
    threads = threads + 1
end

function init(args)
    count = 0
    begun = string.format("%d-%d", os.time(), math.random(1000000000))
    wrk.method = "POST"
    wrk.headers["Host"] = "localhost"
    wrk.headers["Authorization"] = "Bearer " .. args[1]
    wrk.headers["Content-Type"] = "application/json"
    wrk.body = string.format('{"customer_id":"%s","type":"order.paid","data":{"order":1234567,"total":"99.90",'
        .. '"currency":"EUR","items":[{"sku":"A-1","n":2},{"sku":"B-2","n":1}]}}', args[2])
end

function request()
    count = count + 1
    wrk.headers["Idempotency-Key"] = begun .. "-" .. number .. "-" .. count
    return wrk.format()
end

function done(summary, latency, _)
    local errors = summary.errors
    io.write(string.format('RESULT {"requests":%d,"us":%d,"not_2xx":%d,"broken":%d,"p50_us":%d,"p99_us":%d}\n',
        summary.requests, summary.duration, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50), latency:percentile(99)))
end
