import { Command } from 'commander'
import type { Operation } from '../../operations/define.ts'
import { addCommonFlags } from './common-flags.ts'
import { connect, type Where } from './connect.ts'
import { readText } from './flags.ts'
import type { CliPorts } from './ports.ts'
import { type Format, printAnswer, printDiff, warningLines } from './print.ts'
import { printable } from './table.ts'

interface Given extends Where {
  readonly basePath: string
  readonly upstream?: string
  readonly name?: string
  readonly slug?: string
  readonly publish?: boolean
  readonly skipBrokenRefs?: boolean
  readonly dryRun?: boolean
  readonly reason?: string
  readonly output: Format
}

/** `postern openapi import`: a description becomes a collection with its proxies. */
export function importCommand(ports: CliPorts, operation: Operation): Command {
  const command = new Command('import')
    .description('Make a collection of an OpenAPI description, a Postman collection or a HAR')
    .argument('<file>', 'JSON or YAML; - is standard input')
    .requiredOption('--base-path <path>', 'Path under which it is published, such as /orders')
    .option('--upstream <url>', 'Where the API runs')
    .option('--name <name>', 'Name of the collection; else the title of the description')
    .option('--slug <slug>', 'Slug of the collection; else made from the name')
    .option('--publish', 'Publish it at once')
    .option('--skip-broken-refs', 'Allow any value where a schema reference points nowhere')
    .option('--dry-run', 'Show what would be made; store nothing')
    .option('--reason <text>', 'Kept in the audit entry')
  return addCommonFlags(command).action(async (file: string, given: Given) => {
    const document = await readText(ports, file)
    const client = await connect(ports, given)
    ports.err(
      `Importing ${file === '-' ? 'standard input' : printable(file)} (${Math.ceil(document.length / 1024)} KiB) ...\n`,
    )
    const input = {
      document,
      base_path: given.basePath,
      ...(given.upstream !== undefined && { upstream: given.upstream }),
      ...(given.name !== undefined && { name: given.name }),
      ...(given.slug !== undefined && { slug: given.slug }),
      ...(given.publish === true && { publish: true }),
      ...(given.skipBrokenRefs === true && { broken_refs: 'skip' }),
    }
    const { body, diff } = await client.call(operation, input, {
      ...(given.dryRun === true && { dryRun: true }),
      ...(given.reason !== undefined && { reason: given.reason }),
    })
    if (diff !== null) return printDiff(ports, given.output, diff, body)
    if (given.output !== 'table') return printAnswer(ports, given.output, body, operation.columns)
    ports.out(summaryOf(body))
  })
}

function summaryOf(body: Readonly<Record<string, unknown>>): string {
  const collection = (body['collection'] ?? {}) as Readonly<Record<string, unknown>>
  const slug = printable(String(collection['slug']))
  const lines = [
    `Collection ${slug} at ${printable(String(collection['base_path']))}: ${countOf(body['proxies'])}, ${String(collection['status'])}${draftsOf(body['draft_proxies'])}.`,
    ...warningLines(body['warnings']).map((line) => `  ${line}`),
    ...(collection['status'] === 'draft' ? [`Publish it: postern collections publish ${slug}`] : []),
  ]
  return `${lines.join('\n')}\n`
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
