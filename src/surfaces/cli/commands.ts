/**
 * The commands of the program, by purpose: what `postern --help` lists. A command is loaded when a command line names it, because
 * the schemas of the operations take longer to load than most commands take to run. This module imports none of them.
 */
import { Command } from 'commander'
import type { Whole } from './completion.ts'
import { EXIT, Failed } from './exit.ts'
import type { CliPorts } from './ports.ts'

/** A command of the program, before it is loaded. */
export interface CommandEntry {
  readonly name: string
  /** The heading of `postern --help` below which it stands. */
  readonly group: string
  /** One line. */
  readonly about: string
}

/** A command that is more than one operation. */
interface OwnCommand extends CommandEntry {
  /** True if it needs no operation. Such a command gets `ports` without operations. */
  readonly isLocal?: boolean
  /** Undefined where an operation that it calls is not there. `whole` builds every command. */
  readonly load: (ports: CliPorts, whole: () => Promise<Whole>) => Promise<Command | undefined>
}

const RUN = 'Run a gateway:'
const CONNECT = 'Choose an instance and sign in:'
const FILES = 'Configuration in files:'
const CALLS = 'Calls and their records:'
const SERVED = 'APIs, clients and limits:'
const MCP = 'MCP servers and agents:'
const ACCESS = 'Administrators and approval:'
const INSTANCE = 'The instance:'

/** The order of the headings, for commands of no entry below. */
export const GROUPS = [RUN, CONNECT, FILES, CALLS, SERVED, MCP, ACCESS, INSTANCE] as const

const operationOf = ({ operations }: CliPorts, resource: string, action: string) =>
  operations.find((one) => one.resource === resource && one.action === action)

const configCommand = (name: string): OwnCommand['load'] => {
  return async (ports) =>
    (await import('./config/commands.ts')).configCommands(ports).find((one) => one.name() === name)
}

/** Commands that are more than an operation, in the order of `postern --help`. */
export const OWN_COMMANDS: readonly OwnCommand[] = [
  {
    name: 'up',
    group: RUN,
    about: 'Start the gateway',
    isLocal: true,
    load: async (ports) =>
      new Command('up')
        .description('Start the gateway')
        .argument('[flags...]')
        .usage('[settings]')
        .allowUnknownOption()
        .addHelpText('after', `\n${await ports.upHelp()}`)
        .action((flags: string[]) => ports.up(flags)),
  },
  {
    name: 'demo',
    group: RUN,
    about: 'Run a gateway with a sample API on temporary data',
    isLocal: true,
    load: async (ports) =>
      new Command('demo')
        .description('Run a gateway with a sample API on temporary data, and show what it does')
        .argument('[flags...]')
        .usage('[--exit] [settings]')
        .allowUnknownOption()
        .addHelpText(
          'after',
          '\n--exit ends it after the tour. Settings are those of postern up; the ports are free ones by default.\n',
        )
        .action(async (flags: string[]) => {
          const code = await ports.demo(flags)
          if (code !== EXIT.ok) throw new Failed(code)
        }),
  },
  {
    name: 'doctor',
    group: RUN,
    about: 'Check the machine, the settings and the data directory',
    isLocal: true,
    load: async (ports) => (await import('./doctor.ts')).doctorCommand(ports),
  },
  {
    name: 'backup',
    group: RUN,
    about: 'Back up configuration and audit log while it runs',
    isLocal: true,
    load: async (ports) => (await import('./backup.ts')).backupCommand(ports),
  },
  {
    name: 'restore',
    group: RUN,
    about: 'Restore a data directory from a backup',
    isLocal: true,
    load: async (ports) => (await import('./backup.ts')).restoreCommand(ports),
  },
  {
    name: 'migrate',
    group: RUN,
    about: 'Move a data directory to a PostgreSQL database',
    isLocal: true,
    load: async (ports) => (await import('./migrate.ts')).migrateCommand(ports),
  },
  {
    name: 'migrate-schema',
    group: RUN,
    about: 'Create or upgrade the tables of a PostgreSQL database',
    isLocal: true,
    load: async (ports) => (await import('./migrate.ts')).migrateSchemaCommand(ports),
  },
  {
    name: 'admin',
    group: RUN,
    about: 'Restore administrator access through the data directory',
    isLocal: true,
    load: async (ports) =>
      new Command('admin')
        .description('Administrator access through the data directory')
        .addCommand((await import('./admin.ts')).adminResetCommand(ports)),
  },
  {
    name: 'runner',
    group: RUN,
    about: 'Run MCP servers that speak stdio',
    isLocal: true,
    load: async (ports) => (await import('./process-commands.ts')).runnerCommand(ports),
  },
  {
    name: 'version',
    group: RUN,
    about: 'Print the version, the commit and the build',
    isLocal: true,
    load: async (ports) => (await import('./process-commands.ts')).versionCommand(ports),
  },
  {
    name: 'login',
    group: CONNECT,
    about: 'Sign in to an instance with a browser or another device',
    isLocal: true,
    load: async (ports) => (await import('./login.ts')).loginCommand(ports),
  },
  {
    name: 'logout',
    group: CONNECT,
    about: 'Revoke and delete the tokens of a context',
    isLocal: true,
    load: async (ports) => (await import('./login.ts')).logoutCommand(ports),
  },
  {
    name: 'context',
    group: CONNECT,
    about: 'Name instances, and choose the one that commands use',
    isLocal: true,
    load: async (ports) => (await import('./context.ts')).contextCommand(ports),
  },
  {
    name: 'whoami',
    group: CONNECT,
    about: 'Show your identity, the instance and your permissions',
    load: async (ports) => {
      const operation = operationOf(ports, 'whoami', 'show')
      return operation && (await import('./whoami.ts')).whoamiCommand(ports, operation)
    },
  },
  {
    name: 'token',
    group: CONNECT,
    about: 'Print an access token, made through the data directory',
    isLocal: true,
    load: async (ports) => (await import('./token.ts')).tokenCommand(ports),
  },
  {
    name: 'mcp',
    group: CONNECT,
    about: 'Serve MCP on standard input and output',
    isLocal: true,
    load: async (ports) => (await import('./mcp.ts')).mcpCommand(ports),
  },
  {
    name: 'completion',
    group: CONNECT,
    about: 'Print a script that completes commands in a shell',
    isLocal: true,
    load: async (ports, whole) => (await import('./completion.ts')).completionCommand(ports, whole),
  },
  {
    name: 'init',
    group: FILES,
    about: 'Write a starter configuration with comments',
    isLocal: true,
    load: async (ports) => (await import('./init.ts')).initCommand(ports),
  },
  {
    name: 'export',
    group: FILES,
    about: 'Export the configuration as documents',
    load: configCommand('export'),
  },
  {
    name: 'validate',
    group: FILES,
    about: 'Check documents, also without an instance',
    load: configCommand('validate'),
  },
  {
    name: 'diff',
    group: FILES,
    about: 'Compare documents with the instance',
    load: configCommand('diff'),
  },
  {
    name: 'plan',
    group: FILES,
    about: 'Show what applying documents would change',
    load: configCommand('plan'),
  },
  {
    name: 'apply',
    group: FILES,
    about: 'Apply documents, completely or not at all',
    load: configCommand('apply'),
  },
  {
    name: 'promote',
    group: FILES,
    about: 'Copy the configuration of one instance to another',
    load: configCommand('promote'),
  },
  {
    name: 'convert',
    group: FILES,
    about: 'Convert a configuration of Kong or a list of MCP servers',
    load: configCommand('convert'),
  },
  {
    name: 'import-keys',
    group: FILES,
    about: 'Import the keys of consumers from a configuration of Kong',
    load: configCommand('import-keys'),
  },
  {
    name: 'openapi',
    group: FILES,
    about: 'Import an API from its OpenAPI description',
    load: async (ports) => {
      const [first, again] = ['import', 'reimport'].map((action) => operationOf(ports, 'collections', action))
      if (first === undefined) return undefined
      const { importCommand, reimportCommand } = await import('./openapi.ts')
      const group = new Command('openapi').description('OpenAPI descriptions')
      group.addCommand(importCommand(ports, first))
      return again === undefined ? group : group.addCommand(reimportCommand(ports, again))
    },
  },
  {
    name: 'call',
    group: CALLS,
    about: 'Call a published API or an MCP tool through the gateway',
    isLocal: true,
    load: async (ports) => (await import('./call.ts')).callCommand(ports),
  },
  {
    name: 'explain',
    group: CALLS,
    about: 'Explain what the gateway does with a request, and why',
    load: async (ports) => {
      const operation = operationOf(ports, 'requests', 'explain')
      return operation && (await import('./explain.ts')).explainCommand(ports, operation)
    },
  },
]

/** The groups of operations, one for each resource of the API. `postern --help` lists them in this order, below each heading. */
export const RESOURCE_COMMANDS: readonly CommandEntry[] = [
  { name: 'records', group: CALLS, about: 'Request records: list, show, follow' },
  { name: 'requests', group: CALLS, about: 'Explain a request or send a recorded one again' },
  { name: 'metrics', group: CALLS, about: 'Figures of requests by time, client and endpoint' },
  { name: 'exports', group: CALLS, about: 'Files with records or audit entries' },
  { name: 'sinks', group: CALLS, about: 'Systems to which records and audit entries are sent' },
  { name: 'collections', group: SERVED, about: 'APIs: base path, upstream, rules for all endpoints' },
  { name: 'proxies', group: SERVED, about: 'Endpoints of an API: method, path, rules' },
  { name: 'workflows', group: SERVED, about: 'Endpoints that run several steps' },
  { name: 'policies', group: SERVED, about: 'Limits: rates, quotas, concurrency' },
  { name: 'guardrails', group: SERVED, about: 'Rules for the content of requests and responses' },
  { name: 'clients', group: SERVED, about: 'Callers of APIs: apps, partners, agents' },
  { name: 'profiles', group: SERVED, about: 'Credentials with which a client calls' },
  { name: 'access_requests', group: SERVED, about: 'Requests for access to APIs' },
  { name: 'credentials', group: SERVED, about: 'Secrets that the gateway sends to upstreams' },
  { name: 'origins', group: MCP, about: 'MCP servers behind the gateway' },
  { name: 'virtual_mcps', group: MCP, about: 'MCP servers that the gateway serves' },
  { name: 'mcp_endpoints', group: MCP, about: 'MCP endpoints to which people can sign in' },
  { name: 'hosts', group: MCP, about: 'AI applications that connect' },
  { name: 'bindings', group: MCP, about: 'Access of an AI application to virtual MCPs' },
  { name: 'connections', group: MCP, about: 'Accounts of people at MCP servers' },
  { name: 'users', group: ACCESS, about: 'People' },
  { name: 'teams', group: ACCESS, about: 'Groups of people' },
  { name: 'roles', group: ACCESS, about: 'Sets of permissions' },
  { name: 'grants', group: ACCESS, about: 'Roles of people, teams and service identities' },
  { name: 'service_identities', group: ACCESS, about: 'Programs that administer' },
  { name: 'trust_rules', group: ACCESS, about: 'Tokens of other issuers for service identities' },
  { name: 'personal_tokens', group: ACCESS, about: 'Access tokens of people' },
  { name: 'change_requests', group: ACCESS, about: 'Changes that wait for approval' },
  { name: 'audit', group: ACCESS, about: 'The audit log: list, verify' },
  { name: 'settings', group: INSTANCE, about: 'Settings that are changed while the instance runs' },
  { name: 'revisions', group: INSTANCE, about: 'Earlier states of the configuration, and rollback to them' },
  { name: 'limits', group: INSTANCE, about: 'Where limits are counted' },
  { name: 'nodes', group: INSTANCE, about: 'Processes that share one database' },
  { name: 'keys', group: INSTANCE, about: 'Keys that encrypt stored secrets' },
  { name: 'config', group: INSTANCE, about: 'Operations of export, plan, apply and diff' },
]
