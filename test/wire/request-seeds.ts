/** Whole requests that fuzz tests take apart, as latin1. */
export const SEEDS = [
  'GET /api/v1/o?x=1 HTTP/1.1\r\nHost: a.example\r\nUser-Agent: x/1\r\nAccept: */*\r\nX-Client-ID: k\r\nConnection: keep-alive\r\n\r\n',
  'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n\r\n{"a":"bcde"}',
  'POST /x HTTP/1.1\r\nHost: a:80\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\nConnection: te\r\n\r\n5;n=v\r\nhello\r\n3;q="x;y"\r\nabc\r\n0\r\nX-Trailer: 1\r\n\r\n',
  'DELETE /y%20z HTTP/1.0\r\nX-Forwarded-For: 1.2.3.4\r\nContent-Length: 0\r\n\r\n',
  'GET http://a/b?c HTTP/1.1\r\nHost: a\r\nAccept: a\r\nAccept: b\r\n\r\n',
]
/** What they put in. */
export const PIECES = [
  '\r\n', '\n', '\r', ' ', '\t', '\0', ':', ';', ',', '"', '=', '%', '/', '..', '0', '1', 'a',
  'Content-Length: 5\r\n', 'Transfer-Encoding: chunked\r\n', 'Host: b\r\n', 'Connection: close\r\n', 'X_Client_ID: 1\r\n',
  '\x0b', '\x7f', '\xff', 'chunked', '0x', '+', '-', 'HTTP/1.1', ' HTTP/1.1', 'Transfer-Encoding: identity\r\n',
  'Content-Length: 5, 5\r\n', '5\r\nhello\r\n', '0\r\n\r\n', '3\r\n', ';a=b', ' \r\n',
] // biome-ignore format: a list of fragments
