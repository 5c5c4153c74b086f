import type { Exchange } from '../exchange.ts'

/** Check 18: header lines added to every answer. The upstream's lines of the same names are dropped. */
export function answerFields(exchange: Exchange): string {
  return `X-Request-ID: ${exchange.requestId}\r\n${exchange.limitLines}`
}
