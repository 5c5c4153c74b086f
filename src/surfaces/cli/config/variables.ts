import { parse } from 'yaml'
import { isPlain } from '../../../base/json/storable.ts'
import { VARIABLE_NAME, type Variables } from '../../../operations/config/read-documents.ts'
import { UsageError } from '../exit.ts'
import { readText } from '../flags.ts'
import type { CliPorts } from '../ports.ts'

/**
 * Variables out of files (YAML or JSON objects) and of assignments: `NAME=text`, or `NAME:=value` for a number or a
 * truth value. Later ones win, assignments over files.
 */
export async function readVariables(
  ports: CliPorts,
  files: readonly string[],
  assignments: readonly string[],
): Promise<Variables> {
  const variables: Record<string, string | number | boolean> = {}
  for (const file of files) {
    const values: unknown = parse(await readText(ports, file))
    if (!isPlain(values)) throw new UsageError(`${file} must contain one object with names and values.`)
    for (const [name, value] of Object.entries(values)) variables[named(name, file)] = plain(value, name)
  }
  for (const text of assignments) {
    const [, name, sign, value] = /^([^=:]*)(:?=)(.*)$/s.exec(text) ?? []
    if (name === undefined || value === undefined)
      throw new UsageError(`--var must be NAME=text or NAME:=value, not "${text}".`)
    variables[named(name, '--var')] = sign === '=' ? value : plain(fromJson(value, name), name)
  }
  return variables
}

function named(name: string, source: string): string {
  if (!VARIABLE_NAME.test(name)) throw new UsageError(`${source}: "${name}" is not a valid variable name.`)
  return name
}

function plain(value: unknown, name: string): string | number | boolean {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  throw new UsageError(`The variable ${name} must be a text, a number, true or false.`)
}

function fromJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new UsageError(`--var ${name}:= must be followed by JSON, such as ${name}:=10.`)
  }
}
