import type { RefusalCode } from '../../src/base/refusal.ts'

/**
 * Where the engine on `node:http` differs on hostile requests. Refused by the native engine, read by Node, and why that
 * misleads nobody: what is sent on is written anew. With what the origin gets.
 */
export const LOOSER: Readonly<Record<string, string>> = {
  // llhttp drops white space after the length (RFC 9110 5.5), and frames by the same number
  'tab after Content-Length': 'POST / HTTP/1.1\r\nHost: origin\r\nContent-Length: 1\r\n\r\na',
  // llhttp skips spaces in the request line (RFC 9112 3 allows it); method and target are the same
  'two spaces after the method': 'GET / HTTP/1.1\r\nHost: origin\r\n\r\n',
  'two spaces after the target': 'GET / HTTP/1.1\r\nHost: origin\r\n\r\n',
  // RFC 9112 2.2 allows one empty line first, llhttp any number
  'two empty lines first': 'GET / HTTP/1.1\r\nHost: origin\r\n\r\n',
}

/** Refused by both: Node finds the fault before the rules see the head, and knows fewer reasons. */
export const OTHER_CODES: Readonly<Record<string, RefusalCode>> = {
  'HTTP/1.2': 'malformed_request',
  'HTTP/2.0 preface': 'malformed_request',
  'unknown method': 'malformed_request',
  'target without a slash': 'malformed_request',
  'target of 40 KB': 'headers_too_large',
}
