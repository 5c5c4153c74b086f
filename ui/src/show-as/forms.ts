/** One request, written for each interface. */
import { stringify } from 'yaml'
import type { OperationRow } from '../../build/document.ts'

export interface ApiRequest {
  readonly operation: OperationRow
  readonly input: Readonly<Record<string, unknown>>
  /** Options of the write, in the names of REST. */
  readonly options: Readonly<Record<string, unknown>>
  /** The resource as a document of the configuration describes it, of a request that changes it. */
  readonly document?: ConfigDocument
}

interface ConfigDocument {
  readonly slug: string
  readonly spec: Readonly<Record<string, unknown>>
}

type Form = 'curl' | 'cli' | 'mcp' | 'yaml'
export const FORMS: readonly { readonly form: Form; readonly label: string }[] = [
  { form: 'curl', label: 'curl' },
  { form: 'cli', label: 'Command line' },
  { form: 'mcp', label: 'Management MCP, at /management/mcp?view=full' },
  { form: 'yaml', label: 'Configuration file, for postern apply' },
]

/** The request in a form, or null if that interface does not have it. `origin`: of management REST, such as `http://localhost:8081`. */
export function formOf(form: Form, request: ApiRequest, origin: string): string | null {
  switch (form) {
    case 'curl':
      return curlOf(request, origin)
    case 'cli':
      return commandOf(request)
    case 'mcp':
      return messageOf(request)
    case 'yaml':
      return documentOf(request)
  }
}

function set(members: Readonly<Record<string, unknown>>): [string, unknown][] {
  return Object.entries(members).filter(([, value]) => value !== undefined)
}

function curlOf({ operation, input, options }: ApiRequest, origin: string): string {
  const { id, ...rest } = input
  const members = operation.byId ? rest : input
  const path = operation.path.replace('{id}', encodeURIComponent(String(id)))
  const query = new URLSearchParams()
  const isRead = operation.method === 'GET'
  for (const [name, value] of isRead ? set(members) : [])
    for (const one of Array.isArray(value) ? value : [value])
      query.append(name, typeof one === 'object' ? JSON.stringify(one) : String(one))
  const url = `${origin}/management/v1${path}${query.size > 0 ? `?${query}` : ''}`
  const lines = [
    `curl ${isRead ? '' : `-X ${operation.method} `}${quoted(url)}`,
    `-H "Authorization: Bearer $POSTERN_TOKEN"`,
  ]
  if (!isRead) {
    const body = Object.fromEntries([...set(members), ...set(options)])
    lines.push(`-H 'Content-Type: application/json'`, `-d ${quoted(JSON.stringify(body))}`)
  }
  return lines.join(' \\\n  ')
}

/** Operations without a body have a flag for each member. Others get their members as JSON, which holds any value. */
function commandOf({ operation, input, options }: ApiRequest): string {
  const { id, ...rest } = input
  const words = operation.command ?? `${operation.resource} ${operation.action}`.replaceAll('_', '-')
  const argument = id === undefined ? [] : [quoted(String(id))]
  const flags =
    operation.method === 'GET'
      ? set(rest).flatMap(([name, value]) => flagOf(name, value))
      : set(rest).length > 0
        ? [`--json ${quoted(JSON.stringify(Object.fromEntries(set(rest))))}`]
        : []
  const more = set(options).flatMap(([name, value]) => flagOf(name, value))
  return ['postern', words, ...argument, ...flags, ...more].join(' ')
}

function flagOf(name: string, value: unknown): string[] {
  const flag = name.replaceAll('_', '-')
  if (typeof value === 'boolean') return [quoted(value ? `--${flag}` : `--no-${flag}`)]
  const values = Array.isArray(value) ? value : [value]
  // Names too: those of filters come from the address of the page, which anybody can make
  return values.map(
    (one) => `${quoted(`--${flag}`)} ${quoted(typeof one === 'object' ? JSON.stringify(one) : String(one))}`,
  )
}

function messageOf({ operation, input, options }: ApiRequest): string | null {
  if (operation.tool === null) return null
  const params = { name: operation.tool, arguments: Object.fromEntries([...set(input), ...set(options)]) }
  return JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }, null, 2)
}

/** A resource that is created needs a slug here: a document names what it describes. */
function documentOf({ operation, input, document }: ApiRequest): string | null {
  const { kind, action } = operation
  if (kind === null) return null
  if (document !== undefined) return textOf(kind, document)
  const { slug, ...spec } = input
  if (action !== 'create' || typeof slug !== 'string') return null
  return textOf(kind, { slug, spec })
}

/** A document of the configuration as YAML. */
export function textOf(kind: string, { slug, spec }: ConfigDocument): string {
  return stringify({ kind, slug, spec: Object.fromEntries(set(spec)) })
}

/** A word of a POSIX shell. */
export function quoted(text: string): string {
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
