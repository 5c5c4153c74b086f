/** The chart as its tests see it: values merged and judged as Helm does, templates rendered, manifests parsed. */
import { globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Ajv, type ErrorObject } from 'ajv'
import { parse, parseAllDocuments } from 'yaml'
import type { Value } from './functions.ts'
import { readTemplates, renderTemplates } from './render.ts'

export type { Value }
export type Values = { readonly [name: string]: Value }

/** An object of Kubernetes. */
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly [name: string]: Value }
  readonly [name: string]: unknown
}

const CHART = resolve(import.meta.dirname, '../../deploy/helm/postern')
const read = (name: string): string => readFileSync(join(CHART, name), 'utf8')

export const CHART_YAML = parse(read('Chart.yaml')) as { readonly [name: string]: string }
/** Helm reads YAML 1.1, where `on` and `off` are booleans. */
export const DEFAULTS = valuesOf(read('values.yaml'))
/** A part of the schema of the values. */
export interface ValueSchema {
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly properties?: { readonly [name: string]: ValueSchema }
  readonly additionalProperties?: boolean | ValueSchema
  readonly [keyword: string]: unknown
}
export const VALUES_SCHEMA = JSON.parse(read('values.schema.json')) as ValueSchema

const FILES = globSync('templates/*', { cwd: CHART }).sort()
const TEMPLATES = readTemplates(new Map(FILES.map((file) => [file, read(file)])))

const ajv = new Ajv({ strict: true, allowUnionTypes: true, allErrors: true })
const judge = ajv.compile(VALUES_SCHEMA)

/** Values from the text of a values file. */
export function valuesOf(yaml: string): Values {
  return parse(yaml, { version: '1.1' }) as Values
}

/** What the schema says against values that are merged with the defaults, as sentences that name the place. */
export function faultsOf(given: Values): string[] {
  if (judge(merged(DEFAULTS, given))) return []
  return (judge.errors ?? []).map(sentenceOf)
}

function sentenceOf({ instancePath, message, params }: ErrorObject): string {
  const place = instancePath.slice(1).replaceAll('/', '.')
  const named = params['additionalProperty'] ?? params['allowedValues']
  return `${place === '' ? 'values' : place} ${message}${named === undefined ? '' : `: ${String(named)}`}`
}

/** Values over others, as Helm merges them: objects by member, null takes a member away. */
export function merged(below: Values, above: Values): Values {
  const result: Record<string, Value> = { ...below }
  for (const [name, value] of Object.entries(above)) {
    const before = result[name]
    if (value === null) delete result[name]
    else result[name] = isObject(before) && isObject(value) ? merged(before, value) : value
  }
  return result
}

export function isObject(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export interface Rendered {
  readonly manifests: readonly Manifest[]
  readonly notes: string
  /** All manifests as Helm would print them. */
  readonly text: string
}

/** Renders the chart with values over its defaults. Throws if the schema or a template refuses them. */
export function render(given: Values = {}, release = { name: 'gw', namespace: 'apis' }): Rendered {
  const faults = faultsOf(given)
  if (faults.length > 0) throw new Error(faults.join('\n'))
  const { name, version, appVersion } = CHART_YAML
  const texts = renderTemplates(TEMPLATES, {
    Values: merged(DEFAULTS, given),
    Chart: { Name: name!, Version: version!, AppVersion: appVersion! },
    Release: { Name: release.name, Namespace: release.namespace, Service: 'Helm' },
  })
  const notes = texts.get('templates/NOTES.txt') ?? ''
  texts.delete('templates/NOTES.txt')
  const written = [...texts].filter(([, text]) => text.trim() !== '')
  return {
    manifests: written.flatMap(([file, text]) => manifestsOf(file, text)),
    notes,
    text: written.map(([file, text]) => `---\n# Source: postern/${file}\n${text.trim()}\n`).join(''),
  }
}

function manifestsOf(file: string, text: string): Manifest[] {
  return parseAllDocuments(text, { version: '1.1', uniqueKeys: true }).map((document) => {
    const [error] = document.errors
    if (error !== undefined) throw new Error(`${file}: ${error.message}`)
    return document.toJS() as Manifest
  })
}

/** The one manifest of a kind, and of a name if it is given. */
export function only({ manifests }: Rendered, kind: string, name?: string): Manifest {
  const found = manifests.filter(
    (one) => one.kind === kind && (name === undefined || one.metadata.name === name),
  )
  if (found.length !== 1) throw new Error(`${found.length} manifests of kind ${kind}`)
  return found[0]!
}
