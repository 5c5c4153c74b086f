import { resolve } from 'node:path'
import { Command } from 'commander'
import { addFormat, type Format } from './common-flags.ts'
import { toOrigin } from './connect.ts'
import {
  CONTEXT_NAME,
  type Context,
  type Contexts,
  changeContexts,
  contextFileOf,
  noContext,
  readContexts,
} from './context-file.ts'
import { UsageError } from './exit.ts'
import type { CliPorts } from './ports.ts'
import { printAnswer, printData } from './print.ts'

interface Printing {
  readonly output: Format
}

interface Adding extends Printing {
  readonly url?: string
  readonly data?: string
  readonly tokenFile?: string
  readonly tokenStdin?: boolean
}

const COLUMNS = ['current', 'name', 'url', 'credential', 'expires_at']

/** `postern context`: the instances that commands are meant for, by name. */
export function contextCommand(ports: CliPorts): Command {
  const group = new Command('context').description(
    'Manage named instances and choose the one that commands use',
  )
  addFormat(group.command('list').description('List the contexts')).action(({ output }: Printing) => {
    const contexts = readContexts(ports)
    const items = Object.keys(contexts.contexts).map((name) => shown(contexts, name))
    printAnswer(ports, output, { items, file: contextFileOf(ports) }, COLUMNS)
  })
  addFormat(
    group
      .command('show')
      .description('Show a context, without its token')
      .argument('[name]', 'Default: the current context'),
  ).action((name: string | undefined, { output }: Printing) => {
    const contexts = readContexts(ports)
    printAnswer(ports, output, shown(contexts, named(contexts, name ?? contexts.current)), COLUMNS)
  })
  addFormat(
    group.command('use').description('Use a context for the commands that follow').argument('<name>'),
  ).action(async (name: string, { output }: Printing) => {
    await changeContexts(ports, (contexts) => [{ ...contexts, current: named(contexts, name) }, null])
    printResult(ports, output, { current: name }, `Commands now go to ${name}.`)
  })
  addFormat(
    group
      .command('add')
      .description('Add or replace a context. The first context becomes the current one')
      .argument('<name>')
      .option('--url <url>', 'URL of the management API')
      .option('--data <dir>', 'Data directory of an instance on this machine, in place of a URL')
      .option('--token-stdin', 'Read the token from standard input and store it')
      .option('--token-file <file>', 'Read the token from this file with each command')
      .addHelpText(
        'after',
        '\nExamples:\n  postern context add staging --url https://gateway.example.com --token-stdin < token.txt\n  postern context add here --data /var/lib/postern\n',
      ),
  ).action(async (name: string, given: Adding) => {
    if (!CONTEXT_NAME.test(name))
      throw new UsageError(`"${name}" is not a valid context name. Use letters, digits, dots, - and _.`)
    const context = await toContext(ports, given)
    await changeContexts(ports, (contexts) => [
      {
        ...contexts,
        current: contexts.current ?? name,
        contexts: { ...contexts.contexts, [name]: context },
      },
      null,
    ])
    const hint = context.credential.kind === 'none' ? ` Sign in with postern login --context ${name}.` : ''
    printResult(ports, given.output, { name }, `The context ${name} is stored.${hint}`)
  })
  addFormat(
    group
      .command('remove')
      .description('Delete a context and its token. postern logout also revokes the token')
      .argument('<name>'),
  ).action(async (name: string, { output }: Printing) => {
    await changeContexts(ports, (contexts) => {
      named(contexts, name)
      const { [name]: _, ...rest } = contexts.contexts
      const current = contexts.current === name ? null : contexts.current
      return [{ ...contexts, current, contexts: rest }, null]
    })
    printResult(ports, output, { removed: name }, `The context ${name} is deleted.`)
  })
  return group
}

async function toContext(ports: CliPorts, given: Adding): Promise<Context> {
  const { url, data, tokenFile, tokenStdin } = given
  if ((url === undefined) === (data === undefined))
    throw new UsageError('Name the instance with either --url or --data.')
  if (data !== undefined) {
    if (tokenFile !== undefined || tokenStdin === true)
      throw new UsageError(
        'With --data, the running instance issues the token: leave out --token-stdin and --token-file.',
      )
    return { url: null, credential: { kind: 'local', data: resolve(data) } }
  }
  if (tokenFile !== undefined && tokenStdin === true)
    throw new UsageError('Give either --token-stdin or --token-file, not both.')
  const where = toOrigin(url!)
  if (tokenFile !== undefined)
    return { url: where, credential: { kind: 'token_file', path: resolve(tokenFile) } }
  if (tokenStdin !== true) return { url: where, credential: { kind: 'none' } }
  const token = (await ports.readStdin()).trim()
  if (token === '') throw new UsageError('Standard input contains no token.')
  return { url: where, credential: { kind: 'token', token } }
}

function named(known: Contexts, name: string | null): string {
  if (name === null) throw new UsageError('No context is in use; postern context use <name> chooses one.')
  if (!Object.hasOwn(known.contexts, name)) throw new UsageError(noContext(known, name))
  return name
}

function shown({ contexts, current }: Contexts, name: string): Record<string, unknown> {
  const { url, credential } = contexts[name]!
  return {
    name,
    current: name === current,
    url: url ?? null,
    credential: credential.kind,
    ...(credential.kind === 'local' && { data: credential.data }),
    ...(credential.kind === 'token_file' && { token_file: credential.path }),
    ...(credential.kind === 'oauth' && {
      issuer: credential.issuer,
      scope: credential.scope,
      expires_at: new Date(credential.expires_at).toISOString(),
      renewable: credential.refresh_token !== null,
    }),
  }
}

function printResult(ports: CliPorts, format: Format, value: unknown, sentence: string): void {
  if (!printData(ports, format, value)) ports.out(`${sentence}\n`)
}
