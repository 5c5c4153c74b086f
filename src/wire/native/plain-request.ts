import type { Socket } from 'node:net'

/** What OpenSSL says of a handshake that begins as a request of HTTP does. */
const HTTP: ReadonlySet<unknown> = new Set(['ERR_SSL_HTTP_REQUEST', 'ERR_SSL_HTTPS_PROXY_REQUEST'])

const TEXT = 'This port speaks TLS. Ask with https in place of http.\n'
const ANSWER = `HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: ${TEXT.length}\r\nConnection: close\r\n\r\n${TEXT}`

/**
 * Answers a caller that spoke plain HTTP where a handshake of TLS was due. Nothing else is answered. The caller closes.
 * @param below the socket below TLS, on which nothing has been sent; undefined when it is gone.
 */
export function answerPlainRequest(error: Error, below: Socket | undefined): void {
  if (HTTP.has((error as NodeJS.ErrnoException).code) && below?.writable === true) below.write(ANSWER)
}
