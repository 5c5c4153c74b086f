import { createFieldReader } from './header-lines.ts'

/** The headers of an answer that are shown where it is told of in another answer, from a block of header lines. */
export const shownHeaders = createFieldReader([
  'content-type',
  'content-language',
  'content-disposition',
  'etag',
  'last-modified',
  'link',
  'location',
  'ratelimit',
  'ratelimit-policy',
  'retry-after',
  'x-total-count',
  'deprecation',
  'x-cache',
  'age',
  'idempotency-replayed',
  'sunset',
])
