-- The headers of a realistic client, and the figures as one line of JSON. Our own.
wrk.headers["User-Agent"] = "acme-orders-client/2.14.0 (linux; x64)"
wrk.headers["Accept"] = "application/json"
wrk.headers["Accept-Encoding"] = "gzip, deflate, br"
wrk.headers["Traceparent"] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

function done(summary, latency, requests)
  local e = summary.errors
  io.stderr:write(string.format(
    'RESULT {"n":%d,"us":%d,"p50":%d,"p99":%d,"errors":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.timeout + e.status))
end
