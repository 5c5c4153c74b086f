import { z } from 'zod'
import { unit } from './annotations.ts'

/** RFC 9110 section 5.1 field name that an operator may set; framing, hop-by-hop and identity names are not theirs. */
export const HeaderName = z
  .string()
  .meta(unit('http-header-name'))
  .max(128)
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'a header name')
  .refine((name) => !RESERVED_HEADERS.has(name.toLowerCase()), 'this header belongs to the gateway')

const RESERVED_HEADERS = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-length',
  'host',
  'expect',
  'x-request-id',
  'traceparent',
  'tracestate',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-postern-client',
  'x-postern-profile',
  'x-postern-subject',
])
