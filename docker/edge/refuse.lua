-- refuse.lua: the edge's answer to a connection whose first bytes are no request: JSON with a tracking id, like all that it says.
-- haproxy.cfg decides who gets it, and until when a head may arrive. It must never repeat any of what the client sent.

local late = { status = 408, reason = "Request Timeout", message = "The request did not arrive in time." }
local bad = { status = 400, reason = "Bad Request", message = "The request is not well-formed HTTP/1.1, or its head is larger than 17.5 KiB." }

core.register_service("refuse", "tcp", function(applet)
    local refusal = os.time() >= applet:get_var("sess.late") and late or bad
    local tracking = applet:get_var("txn.tracking")
    local body = string.format('{"errorCode":%d000,"trackingId":"%s","message":"%s","timestampUtc":"%s"}',
        refusal.status, tracking, refusal.message, os.date("!%Y-%m-%dT%H:%M:%SZ"))
    applet:set_var("txn.status", refusal.status)
    applet:send(string.format("HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n" ..
        "x-ms-request-id: %s\r\nconnection: close\r\n\r\n%s", refusal.status, refusal.reason, #body, tracking, body))
end)
