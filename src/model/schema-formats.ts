/** Formats of JSON Schema that contracts assert; other formats are annotations. Each is a simple expression or function. */
export const CHECKED_FORMATS = [
  'date',
  'time',
  'date-time',
  'email',
  'hostname',
  'ipv4',
  'ipv6',
  'uri',
  'uri-reference',
  'uuid',
  'json-pointer',
  'byte',
  'int32',
  'int64',
  'float',
  'double',
] as const

/** True for formats that contracts assert. */
export function isCheckedFormat(name: string): boolean {
  return CHECKED_FORMATS.some((format) => format === name)
}
