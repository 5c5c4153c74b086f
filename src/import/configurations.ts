import { isPlain, type Plain } from '../base/json/storable.ts'
import { refuse } from '../base/refusal.ts'
import type { Converted } from './converted.ts'
import { fromKong, isKong } from './kong/kong.ts'
import { clientFileIn } from './mcp-client/files.ts'
import { fromMcpServers, type ServersAs } from './mcp-client/servers.ts'
import type { GivenValues } from './mcp-registry/inputs.ts'
import { fromRegistry } from './mcp-registry/registry.ts'
import { registryEntriesIn, type UrlFault } from './mcp-registry/remotes.ts'

/** What a conversion depends on beside the document. */
export interface ConvertOptions {
  /** What servers of an MCP client become. */
  readonly servers: ServersAs
  /** Values of variables of a registry entry, by name. */
  readonly values: GivenValues
  /** Postern knows a runner of stdio servers. */
  readonly hasRunner?: boolean
  /** Judges URLs that a registry entry names. */
  readonly urlFault: UrlFault
}

/** The configuration of another program, which becomes documents. */
interface ConfigurationFormat {
  /** Member by which a reader knows the format. */
  readonly member: string
  /** The format in a sentence about what a document is not. */
  readonly name: string
  /** True for a document that is probably meant as this format, although it stands where a description is expected. */
  resembles(document: Plain): boolean
  /** What to say of such a document. */
  readonly hint: string
  /** The documents; null where the format is another one. Refuses with `document_invalid` a document that is too large. */
  convert(document: Plain, options: ConvertOptions): Converted | null
}

/** The formats that `convert_config` reads. The first that fits decides. */
export const CONFIGURATIONS: readonly ConfigurationFormat[] = [
  {
    member: '_format_version',
    name: 'a declarative configuration of Kong',
    resembles: (document) => document['_format_version'] !== undefined,
    hint: 'this is a configuration of Kong; convert_config (postern convert) makes documents of it',
    convert: (document) => (isKong(document) ? fromKong(document) : null),
  },
  {
    member: 'mcpServers',
    name: 'a file of an AI application (Claude, Codex, Continue, Copilot, Cursor, Gemini, Goose, opencode, VS Code, Zed and others)',
    resembles: ({ mcpServers }) => isPlain(mcpServers),
    hint: 'these are servers of an MCP client; convert_config (postern convert) makes documents of them',
    convert: (document, { servers: as, hasRunner }) => {
      const file = clientFileIn(document)
      return file === null ? null : fromMcpServers(file.servers, as, hasRunner, file.notes)
    },
  },
  {
    member: 'remotes',
    name: 'an entry of an MCP registry (server.json)',
    resembles: (document) => registryEntriesIn(document) !== null,
    hint: 'this is an entry of an MCP registry; convert_config (postern convert) makes documents of it',
    convert: (document, { values, urlFault }) => {
      const entries = registryEntriesIn(document)
      return entries === null ? null : fromRegistry(entries, values, urlFault)
    },
  },
]

/** The configuration of another program as documents. Refuses with `document_invalid` an object of another format. */
export function fromConfiguration(document: Plain, options: ConvertOptions): Converted {
  for (const { convert } of CONFIGURATIONS) {
    const converted = convert(document, options)
    if (converted !== null) return converted
  }
  const missing = CONFIGURATIONS.map(({ name, member }) => `${name} (${member} is missing)`)
  throw refuse('document_invalid', {
    detail: `It is neither ${missing.join(' nor ')}.`,
    errors: [
      { pointer: '', reason: `has neither ${CONFIGURATIONS.map(({ member }) => member).join(' nor ')}` },
    ],
  })
}
