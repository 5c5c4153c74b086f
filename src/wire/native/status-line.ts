import { STATUS_CODES } from 'node:http'

const LINES: readonly string[] = Array.from(
  { length: 600 },
  (_, status) => `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`,
)

/** Status line of an answer, with the registered reason. `status` is 100 to 599. */
export function statusLine(status: number): string {
  return LINES[status]!
}
