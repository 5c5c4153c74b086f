export const FORMATS = ['json', 'xml', 'csv', 'form'] as const
export type Format = (typeof FORMATS)[number]

/** Media types of texts in each format. */
export const MEDIA_TYPES: Readonly<Record<Format, string>> = {
  json: 'application/json',
  xml: 'application/xml',
  csv: 'text/csv; charset=utf-8',
  form: 'application/x-www-form-urlencoded',
}

/** Characters of a text that is read or written. */
export const CHARS_MAX = 1024 * 1024
/** Levels of elements, objects and lists. */
export const DEPTH_MAX = 100
