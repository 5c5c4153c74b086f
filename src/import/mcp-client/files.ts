/**
 * Reads files in which AI applications list MCP servers, as one form: that of `mcpServers`. Anything beside the servers is
 * named in notes, and so is a server that is no object: nothing is dropped silently.
 */
import { isPlain, listedTexts, type Plain, scalarText } from '../../base/json/storable.ts'

/** The servers of a file. */
interface ClientFile {
  /** The format in the words of a note. */
  readonly format: string
  /** By name, with the members of `mcpServers`. */
  readonly servers: Plain
  readonly notes: readonly string[]
}

interface Format {
  readonly name: string
  /** Servers by name or as a list, as they stand in the file; null where the file has another format. */
  readonly find: (document: Plain) => unknown
  /** A member at the root of the file that holds the servers. */
  readonly member: string
  readonly normal?: (server: Plain) => Plain
}

/** Members of files that say nothing about servers. */
const OF_FILES = new Set(['$schema', 'version', 'name', 'schema', 'projects'])
const MEMBERS_TOLD = 10
const NAME_MAX = 100

const FORMATS: readonly Format[] = [
  { name: 'mcpServers', member: 'mcpServers', find: ({ mcpServers }) => mcpServers, normal: fromContinue },
  {
    name: 'servers of VS Code',
    member: 'servers',
    find: ({ servers }) => (isPlain(servers) ? servers : null),
  },
  {
    name: 'mcp.servers of VS Code',
    member: 'mcp',
    find: ({ mcp }) => (isPlain(mcp) && isPlain(mcp['servers']) ? mcp['servers'] : null),
  },
  {
    name: 'context_servers of Zed',
    member: 'context_servers',
    find: (all) => all['context_servers'],
    normal: fromZed,
  },
  {
    name: 'mcp_servers of Codex',
    member: 'mcp_servers',
    find: (all) => all['mcp_servers'],
    normal: fromCodex,
  },
  {
    name: 'mcp of opencode',
    member: 'mcp',
    find: ({ mcp }) => (isPlain(mcp) && hasServers(mcp) ? mcp : null),
    normal: fromOpencode,
  },
  {
    name: 'extensions of Goose',
    member: 'extensions',
    find: ({ extensions }) => (isPlain(extensions) && hasServers(extensions) ? extensions : null),
    normal: fromGoose,
  },
]

/** Members of which an MCP server has one. */
const REACHED = ['command', 'url', 'serverUrl', 'httpUrl', 'cmd', 'uri'] as const

/** The servers of a file of an AI application; null where it is none. */
export function clientFileIn(document: Plain): ClientFile | null {
  const found = FORMATS.map((format) => ({ format, given: format.find(document) })).find(
    ({ given }) => isPlain(given) || isNamedList(given),
  )
  const { projects } = document
  const ofProjects = isPlain(projects) ? projectServers(projects) : []
  if (found === undefined && ofProjects.length === 0) {
    const isBare = Object.keys(document).length > 0 && Object.values(document).every(isServer)
    return isBare ? { format: 'servers by name', servers: document, notes: [] } : null
  }
  const notes: string[] = []
  const servers = new Map<string, unknown>()
  const normal = found?.format.normal ?? ((server: Plain) => server)
  const own: readonly (readonly [string, unknown])[] = found === undefined ? [] : entriesOf(found.given)
  for (const [name, server] of [...own, ...ofProjects]) {
    let unused = name
    for (let count = 2; servers.has(unused); count++) unused = `${name} ${count}`
    if (unused !== name) notes.push(`the file has several servers ${name}: one is called ${unused}`)
    servers.set(unused, isPlain(server) ? normal(server) : server)
  }
  const format = [
    ...(found === undefined ? [] : [found.format.name]),
    ...(ofProjects.length > 0 ? ['projects'] : []),
  ]
  const isRead = (member: string): boolean => OF_FILES.has(member) || member === found?.format.member
  const others = Object.keys(document).filter((member) => !isRead(member))
  if (others.length > 0)
    notes.push(
      `the file has other settings of its application, which are not converted: ${shortened(others.slice(0, MEMBERS_TOLD).join(', '))}${others.length > MEMBERS_TOLD ? ` and ${others.length - MEMBERS_TOLD} more` : ''}`,
    )
  // A name such as __proto__ is a name like any other
  return { format: format.join(' and '), servers: Object.fromEntries(servers), notes }
}

const shortened = (text: string): string => text.slice(0, 300)

const isServer = (value: unknown): boolean =>
  isPlain(value) &&
  REACHED.some((member) => typeof value[member] === 'string' || Array.isArray(value[member]))

const hasServers = (given: Plain): boolean =>
  Object.values(given).some((one) => isServer(one) || hasType(one))

const hasType = (value: unknown): boolean => isPlain(value) && typeof value['type'] === 'string'

/** A list of Continue, whose servers have names. */
function isNamedList(given: unknown): given is readonly unknown[] {
  return Array.isArray(given) && given.length > 0 && given.some((one) => isPlain(one) && isServer(one))
}

function entriesOf(given: unknown): (readonly [string, unknown])[] {
  if (isPlain(given)) return Object.entries(given)
  return (Array.isArray(given) ? given : []).map((server: unknown, at) => {
    const name = isPlain(server) ? scalarText(server['name']) : undefined
    return [(name ?? `server ${at + 1}`).slice(0, NAME_MAX), server] as const
  })
}

/** Of `~/.claude.json`: each project of a person has servers of its own. */
function projectServers(projects: Plain): (readonly [string, unknown])[] {
  return Object.values(projects).flatMap((project) => {
    const servers = isPlain(project) ? project['mcpServers'] : null
    return isPlain(servers) ? Object.entries(servers) : []
  })
}

/** Lists of Continue have the name of a server inside, and headers in `requestOptions`. */
function fromContinue(server: Plain): Plain {
  const { requestOptions: options, ...rest } = server
  if (!isPlain(options)) return server
  const { headers, ...others } = options
  const isRest = Object.keys(others).length > 0
  return { ...rest, ...(isPlain(headers) ? { headers } : {}), ...(isRest ? { requestOptions: others } : {}) }
}

/** The program may stand in `command.path`; `settings` are those of an extension. */
function fromZed(server: Plain): Plain {
  const { command, settings, source, ...rest } = server
  const kept = isPlain(settings) && Object.keys(settings).length > 0 ? { settings } : {}
  const started = isPlain(command)
    ? { ...command, command: command['path'] }
    : command === undefined
      ? {}
      : { command }
  const { path, ...program } = started as Plain
  return { ...rest, ...kept, ...program }
}

/** Secrets are named by the variables that hold them. */
function fromCodex(server: Plain): Plain {
  const { bearer_token_env_var: bearer, http_headers: fixed, env_http_headers: read, ...rest } = server
  const headers = {
    ...(isPlain(fixed) ? fixed : {}),
    ...Object.fromEntries(
      Object.entries(isPlain(read) ? read : {}).map(([name, variable]) => [
        name,
        `\${${scalarText(variable) ?? ''}}`,
      ]),
    ),
    ...(typeof bearer === 'string' ? { Authorization: `Bearer \${${bearer}}` } : {}),
  }
  return Object.keys(headers).length === 0 ? rest : { ...rest, headers }
}

/** A program is a list, and `{env:NAME}` a variable. */
function fromOpencode(server: Plain): Plain {
  const { type, command, environment, headers, ...rest } = server
  const kind = type === 'local' ? 'stdio' : type === 'remote' ? 'http' : type
  const [program, ...args] = listedTexts(command)
  return {
    ...rest,
    ...(kind === undefined ? {} : { type: kind }),
    ...(Array.isArray(command) ? { command: program, args } : command === undefined ? {} : { command }),
    ...(isPlain(environment) ? { env: withReferences(environment) } : {}),
    ...(isPlain(headers) ? { headers: withReferences(headers) } : {}),
  }
}

function withReferences(given: Plain): Plain {
  const refer = (value: unknown): unknown =>
    typeof value === 'string' ? value.replaceAll(/\{env:([^{}]{1,100})\}/g, '$${env:$1}') : value
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, refer(value)]))
}

function fromGoose(server: Plain): Plain {
  const { cmd, uri, envs, name, ...rest } = server
  return {
    ...rest,
    ...(cmd === undefined ? {} : { command: cmd }),
    ...(uri === undefined ? {} : { url: uri }),
    ...(envs === undefined ? {} : { env: envs }),
  }
}
