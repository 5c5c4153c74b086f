import { Argument, Command } from 'commander'
import type { Operation } from '../../operations/engine/define.ts'
import { type Place, SCRIPTS } from './completion-scripts.ts'
import { connect } from './connect.ts'
import type { CliPorts } from './ports.ts'

/** A shell waits for it at each key: what does not come at once is left out. */
const SLUGS_MS_MAX = 2000
const SLUGS_MAX = 200

/** Every command with its operations. */
export interface Whole {
  readonly program: Command
  readonly operations: readonly Operation[]
}

/** `postern completion`: a script for a shell, made of the commands there are. A bundle has them in a file. */
export function completionCommand(ports: CliPorts, whole: () => Promise<Whole>): Command {
  return new Command('completion')
    .description('Print a script that completes commands in a shell')
    .addArgument(new Argument('<shell>', 'Which shell').choices(Object.keys(SCRIPTS)))
    .addHelpText(
      'after',
      '\nExamples:\n  source <(postern completion bash)\n  postern completion zsh > ~/.zfunc/_postern\n  postern completion fish > ~/.config/fish/completions/postern.fish\n',
    )
    .action(async (shell: keyof typeof SCRIPTS) =>
      ports.out(SCRIPTS[shell](ports.builtPlaces() ?? placesOf(await whole()))),
    )
}

/** What the scripts ask for while a person types: slugs of resources, one line each. It never fails. */
export function slugsCommand(ports: CliPorts): Command {
  return new Command('complete-slugs').argument('<resource>').action(async (resource: string) => {
    const list = listOf(ports.operations, resource)
    if (list === undefined) return
    const aborted = AbortSignal.timeout(SLUGS_MS_MAX)
    const asked = connect(ports, {}).then((client) => client.call(list, { limit: SLUGS_MAX }))
    const late = new Promise<null>((done) => aborted.addEventListener('abort', () => done(null)))
    const answer = await Promise.race([asked, late]).catch(() => null)
    const items = answer?.body['items']
    if (!Array.isArray(items)) return
    for (const { slug } of items as { slug?: unknown }[])
      if (typeof slug === 'string' && /^[\w.:-]+$/.test(slug)) ports.out(`${slug}\n`)
  })
}

/** Every command with what may follow it, by its path below the program; the empty one is the program itself. */
export function placesOf({ program, operations }: Whole): Place[] {
  const flagSlugs = new Map<string, string>(
    operations
      .filter((one) => listOf(operations, one.resource) === one)
      .map(({ resource }) => [`--${singular(resource).replaceAll('_', '-')}`, resource] as const),
  )
  const walk = (command: Command, path: readonly string[]): Place[] => {
    const help = command.createHelp()
    const below = help.visibleCommands(command).filter((one) => one.name() !== 'help')
    const resource = path[0]?.replaceAll('-', '_') ?? ''
    const takesId = command.registeredArguments[0]?.name() === 'id'
    const place: Place = {
      path,
      description: help.subcommandDescription(command),
      commands: below.map((one) => one.name()),
      flags: help.visibleOptions(command).map(({ short, long, flags, description, argChoices }) => ({
        names: [short, long].filter((name) => name !== undefined),
        takesValue: /[<[]/.test(flags),
        choices: argChoices ?? [],
        slugsOf: flagSlugs.get(long ?? '') ?? null,
        description,
      })),
      choices: command.registeredArguments[0]?.argChoices ?? [],
      slugsOf: takesId && listOf(operations, resource) !== undefined ? resource : null,
    }
    return [place, ...below.flatMap((one) => walk(one, [...path, one.name()]))]
  }
  return walk(program, [])
}

function listOf(operations: readonly Operation[], resource: string): Operation | undefined {
  return operations.find((one) => one.resource === resource && one.action === 'list')
}

function singular(resource: string): string {
  return resource.replace(/ies$/, 'y').replace(/s$/, '')
}
