import { Command, Option } from 'commander'
import { printable } from '../../base/text/visible.ts'
import type { Operation } from '../../operations/engine/define.ts'
import type { Client } from '../client/client.ts'
import { addCommonFlags, type Format } from './common-flags.ts'
import { connect, type Where } from './connect.ts'
import { readText } from './flags.ts'
import type { CliPorts } from './ports.ts'
import { printAnswer, printDiff, printDryRun, warningLines } from './print.ts'

interface Given extends Where {
  readonly basePath?: string
  readonly upstream?: string
  readonly name?: string
  readonly slug?: string
  readonly publish?: boolean
  readonly requestValidation?: string
  readonly brokenRefs?: string
  readonly skipBrokenRefs?: boolean
  readonly dryRun?: boolean
  readonly reason?: string
  readonly output: Format
}

/** `postern openapi import`: a description becomes a collection with its proxies. */
export function importCommand(ports: CliPorts, operation: Operation): Command {
  const command = new Command('import')
    .description('Create a collection from an OpenAPI description, a Postman collection or a HAR')
    .argument('<file>', 'JSON or YAML; - is standard input')
    .option(
      '--base-path <path>',
      'Path under which it is published. Default: the path of its servers, or its slug',
    )
    .option('--upstream <url>', 'URL of the API')
    .option('--name <name>', 'Name of the collection. Default: the title of the description')
    .option('--slug <slug>', 'Slug of the collection. Default: derived from the name')
    .option('--publish', 'Publish it immediately')
    .addOption(
      new Option(
        '--request-validation <mode>',
        'How contract checks treat requests. Default: report; they only report for now, and contract-report lists the findings',
      ).choices(['off', 'report', 'enforce']),
    )
    .addOption(
      new Option(
        '--broken-refs <mode>',
        'What to do with schema references that point nowhere: refuse the import, or skip them and allow any value. Default: refuse',
      ).choices(['refuse', 'skip']),
    )
    .option('--skip-broken-refs', 'Alias of --broken-refs skip')
    .option('--dry-run', 'Show the result without storing anything')
    .option('--reason <text>', 'Reason, stored in the audit entry')
  return addCommonFlags(command).action(async (file: string, given: Given) => {
    const document = await readText(ports, file)
    const client = await connect(ports, given)
    tellReading(ports, file, document)
    const input = {
      document,
      ...(given.basePath !== undefined && { base_path: given.basePath }),
      ...(given.upstream !== undefined && { upstream: given.upstream }),
      ...(given.name !== undefined && { name: given.name }),
      ...(given.slug !== undefined && { slug: given.slug }),
      ...(given.publish === true && { publish: true }),
      ...(given.requestValidation !== undefined && { request_validation: given.requestValidation }),
      ...(given.skipBrokenRefs === true && { broken_refs: 'skip' }),
      ...(given.brokenRefs !== undefined && { broken_refs: given.brokenRefs }),
    }
    const { body, diff, approvalNeeded } = await client.call(operation, input, {
      ...(given.dryRun === true && { dryRun: true }),
      ...(given.reason !== undefined && { reason: given.reason }),
    })
    if (given.output !== 'table')
      return diff === null
        ? printAnswer(ports, given.output, body, operation.columns)
        : printDiff(ports, given.output, diff, body, approvalNeeded)
    ports.out(summaryOf(body, diff !== null))
    if (diff !== null) printDryRun(ports, approvalNeeded)
    else ports.out(await nextSteps(ports, client, body['collection'] as Collection))
  })
}

interface Collection {
  readonly slug: string
  readonly base_path: string
  readonly hosts?: readonly string[]
}

/** Proxies among which one is looked for that can be called as it stands. */
const LOOKED_AT_MAX = 50

/** Who may call the collection, and a call of one of its endpoints; without what the caller may not read. */
async function nextSteps(ports: CliPorts, client: Client, collection: Collection): Promise<string> {
  const { slug, base_path, hosts = [] } = collection
  const ask = async (
    resource: string,
    action: string,
    input: Record<string, unknown>,
  ): Promise<Record<string, unknown>> => {
    const operation = ports.operations.find((one) => one.resource === resource && one.action === action)
    if (operation === undefined) return {}
    return (await client.call(operation, input).catch(() => ({ body: {} }))).body
  }
  const { items = [] } = (await ask('proxies', 'list', { collection: slug, limit: LOOKED_AT_MAX })) as {
    readonly items?: readonly { readonly methods: readonly string[]; readonly path: string }[]
  }
  const { instance } = (await ask('whoami', 'show', {})) as {
    readonly instance?: { readonly gateway_url?: string }
  }
  const gets = items.filter(({ methods }) => methods.includes('GET'))
  const called = gets.find(({ path }) => !/[{*]/.test(path)) ?? gets[0]
  const gateway = instance?.gateway_url
  if (called === undefined || gateway === undefined) return ''
  const url = new URL(gateway)
  if (hosts[0] !== undefined) url.hostname = hosts[0]
  const target = printable(`${url.origin}${base_path}${called.path}`)
  return `Create a client that may call it: postern clients create --name Acme --collections ${printable(slug)}\nThen call it: curl -H "Authorization: Bearer $TOKEN" '${target}'\n`
}

interface GivenAgain extends Where {
  readonly collection: string
  readonly breaking?: string
  readonly allowBreaking?: boolean
  readonly missing?: string
  readonly publish?: boolean
  readonly dryRun?: boolean
  readonly reason?: string
  readonly output: Format
}

/** `postern openapi reimport`: a newer description is read into a collection, and what that changes is shown. */
export function reimportCommand(ports: CliPorts, operation: Operation): Command {
  const command = new Command('reimport')
    .description('Import a newer description into a collection; breaking changes are listed and refused')
    .argument('<file>', 'JSON or YAML; - is standard input')
    .requiredOption('--collection <slug>', 'Collection to update')
    .addOption(
      new Option(
        '--breaking <mode>',
        'What to do with changes that could break callers. Default: refuse',
      ).choices(['refuse', 'allow']),
    )
    .option('--allow-breaking', 'Alias of --breaking allow')
    .addOption(
      new Option('--missing <what>', 'What to do with proxies that are missing in the description').choices([
        'keep',
        'draft',
      ]),
    )
    .option('--publish', 'Publish new proxies immediately')
    .option('--dry-run', 'Show what would change without storing anything')
    .option('--reason <text>', 'Reason, stored in the audit entry')
  return addCommonFlags(command).action(async (file: string, given: GivenAgain) => {
    const document = await readText(ports, file)
    const client = await connect(ports, given)
    tellReading(ports, file, document)
    const input = {
      id: given.collection,
      document,
      // What is only shown may show all
      ...(given.breaking !== undefined && { breaking: given.breaking }),
      ...((given.allowBreaking === true || given.dryRun === true) && { breaking: 'allow' }),
      ...(given.missing !== undefined && { missing: given.missing }),
      ...(given.publish === true && { publish: true }),
    }
    const { body } = await client.call(operation, input, {
      ...(given.dryRun === true && { dryRun: true }),
      ...(given.reason !== undefined && { reason: given.reason }),
    })
    if (given.output !== 'table') return printAnswer(ports, given.output, body, operation.columns)
    ports.out(changesOf(body))
    if (given.dryRun === true) ports.err('Nothing was stored.\n')
  })
}

const MARKS: Readonly<Record<string, string>> = { added: '+', changed: '~', missing: '?' }

/** One line for each proxy that differs, and one for each of its breaking changes. */
function changesOf(body: Readonly<Record<string, unknown>>): string {
  const changes = (body['changes'] ?? []) as readonly ProxyChange[]
  const lines = changes.flatMap(({ change, proxy, route, members, breaking }) => [
    `${MARKS[change]} ${printable(proxy)}  ${printable(route)}${members.length === 0 ? '' : `  (${members.join(', ')})`}`,
    ...breaking.map(({ pointer, reason }) => `    breaking: ${printable(pointer)} ${printable(reason)}`),
  ])
  const count = (member: string): string => `${String(body[member])} ${member}`
  return `${[...lines, ...warningLines(body['warnings']), ['added', 'changed', 'missing', 'unchanged', 'breaking'].map(count).join(', ')].join('\n')}\n`
}

interface ProxyChange {
  readonly change: string
  readonly proxy: string
  readonly route: string
  readonly members: readonly string[]
  readonly breaking: readonly { readonly pointer: string; readonly reason: string }[]
}

function tellReading(ports: CliPorts, file: string, document: string): void {
  const name = file === '-' ? 'standard input' : printable(file)
  ports.err(`Importing ${name} (${Math.ceil(document.length / 1024)} KiB) ...\n`)
}

/** How many keywords that are not enforced the summary shows; `-o json` has all. */
const NOT_ENFORCED_SHOWN = 10

/** What an import made: the collection, where its calls go, what was read differently, and what comes next. */
function summaryOf(body: Readonly<Record<string, unknown>>, isDryRun: boolean): string {
  const collection = (body['collection'] ?? {}) as Readonly<Record<string, unknown>>
  const slug = printable(String(collection['slug']))
  const notEnforced = warningLines(body['not_enforced'])
  const hidden = notEnforced.length - NOT_ENFORCED_SHOWN
  const lines = [
    `Collection ${slug} at ${printable(String(collection['base_path']))}: ${countOf(body['proxies'])}, ${String(collection['status'])}${draftsOf(body['draft_proxies'])}.`,
    ...warningLines(body['warnings']).map((line) => `  ${line}`),
    ...notEnforced.slice(0, NOT_ENFORCED_SHOWN).map((line) => `  not enforced: ${line}`),
    ...(hidden > 0 ? [`  not enforced: ${hidden} more; -o json lists all`] : []),
    upstreamLine(collection['upstream'], slug),
    ...(collection['request_validation'] === 'report'
      ? [
          `Contract checks only report for now. List the findings: postern collections contract-report ${slug}`,
        ]
      : []),
    ...(collection['status'] === 'draft' && !isDryRun
      ? [`Publish it: postern collections publish ${slug}`]
      : []),
  ]
  return `${lines.join('\n')}\n`
}

function upstreamLine(upstream: unknown, slug: string): string {
  const { targets } = (upstream ?? { targets: [] }) as {
    readonly targets: readonly { readonly url: string }[]
  }
  if (targets.length === 0)
    return `It has no upstream. Set one: postern collections update ${slug} --set upstream.targets[0].url=URL`
  return `Upstream: ${printable(targets.map(({ url }) => url).join(', '))}`
}

function countOf(proxies: unknown): string {
  return proxies === 1 ? '1 proxy' : `${String(proxies)} proxies`
}

/** A published collection shows only those of its proxies that are published themselves. */
function draftsOf(count: unknown): string {
  const drafts = Number(count ?? 0)
  if (drafts === 0) return ''
  return drafts === 1 ? '; 1 of them stays a draft' : `; ${drafts} of them stay drafts`
}
