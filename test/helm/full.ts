import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Values, valuesOf } from './chart.ts'

/** The values of full-values.yaml, which set every option that goes together with others. */
export function fullValues(): Values {
  return valuesOf(readFileSync(resolve(import.meta.dirname, 'full-values.yaml'), 'utf8'))
}
