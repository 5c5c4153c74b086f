/** One request, written for each interface. */
import type { OperationRow } from '../../build/document.ts'

export interface ApiRequest {
  readonly operation: OperationRow
  readonly input: Readonly<Record<string, unknown>>
  /** Options of the write, in the names of REST. */
  readonly options: Readonly<Record<string, unknown>>
}

export type Form = 'curl' | 'cli' | 'mcp' | 'yaml'
export const FORMS: readonly { readonly form: Form; readonly label: string }[] = [
  { form: 'curl', label: 'curl' },
  { form: 'cli', label: 'Command line' },
  { form: 'mcp', label: 'Management MCP' },
  { form: 'yaml', label: 'Configuration file' },
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
      return null
  }
}

/** A word of a POSIX shell. */
function quoted(text: string): string {
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
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

function commandOf({ operation, input, options }: ApiRequest): string {
  const { id, ...rest } = input
  const words = operation.command ?? `${operation.resource} ${operation.action}`
  const members = operation.byId ? rest : input
  const flags = [...set(members), ...set(options)].flatMap(([name, value]) => flagOf(name, value))
  return ['postern', words, ...(operation.byId ? [quoted(String(id))] : []), ...flags].join(' ')
}

function flagOf(name: string, value: unknown): string[] {
  const flag = `--${name.replaceAll('_', '-')}`
  if (value === true) return [flag]
  if (value === false) return [`${flag}=false`]
  if (Array.isArray(value) && value.every((one) => typeof one !== 'object'))
    return value.map((one) => `${flag} ${quoted(String(one))}`)
  return [`${flag} ${quoted(typeof value === 'object' ? JSON.stringify(value) : String(value))}`]
}

function messageOf({ operation, input, options }: ApiRequest): string | null {
  if (operation.tool === null) return null
  const params = { name: operation.tool, arguments: Object.fromEntries([...set(input), ...set(options)]) }
  return JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }, null, 2)
}
