import { Command } from 'commander'
import type { z } from 'zod'
import { printable } from '../../../base/text/visible.ts'
import { Exported, ImportedKeys, ReportRows } from '../../../operations/config/schemas.ts'
import type { Operation } from '../../../operations/engine/define.ts'
import { addCommonFlags } from '../common-flags.ts'
import { connect } from '../connect.ts'
import { EXIT, Failed, UsageError } from '../exit.ts'
import { readText } from '../flags.ts'
import type { CliPorts } from '../ports.ts'
import { hasColour, printData } from '../print.ts'
import { toJsonText, toYamlText } from '../structured-text.ts'
import { toTable } from '../table.ts'
import { toYaml } from './files.ts'
import { type Given, many } from './planned.ts'

/** `postern convert`: the configuration of another program as documents, which it prints, with a report on standard error. */
export function convertCommand(ports: CliPorts, operation: Operation): Command {
  const command = new Command('convert')
    .description(`${operation.summary}. Exits with code 3 if something is left out or becomes a draft`)
    .argument('<file>', 'YAML or JSON; - is standard input')
    .option('--servers <what>', 'What MCP servers become: origins (default) or collections')
    .addOption(
      many('--value <name=text>', 'Value of a variable of a registry entry. Repeat for more; no secrets'),
    )
  return addCommonFlags(command).action(
    async (file: string, given: Given & { readonly servers?: string; readonly value?: string[] }) => {
      const values = valuesIn(given.value ?? [])
      const document = await readText(ports, file)
      const client = await connect(ports, given)
      const { servers } = given
      const { body } = await client.call(operation, {
        document,
        ...(servers === undefined ? {} : { servers }),
        ...(Object.keys(values).length === 0 ? {} : { values }),
      })
      const documents = Exported.shape.documents.parse(body['documents'])
      const rows = ReportRows.parse(body['report'])
      if (rows.length > 0) ports.err(reportText(rows, hasColour(ports)))
      else for (const note of body['notes'] as readonly string[]) ports.err(`${printable(note)}\n`)
      const runner = body['runner'] as Readonly<Record<string, unknown>>
      if (Object.keys(runner).length > 0)
        ports.err(`Entries for the file of postern runner:\n${toYamlText({ entries: runner }, 0)}`)
      ports.out(given.output === 'json' ? toJsonText(documents) : toYaml(documents))
      if (body['exact'] !== true) throw new Failed(EXIT.inexact)
    },
  )
}

/** What is not carried over comes first. */
const ORDER = ['left_out', 'closed', 'different', 'kept']
/** A reason is printed whole. */
const REASON_CHARS_MAX = 500

function reportText(rows: z.output<typeof ReportRows>, colour: boolean): string {
  const sorted = rows.toSorted((a, b) => ORDER.indexOf(a.result) - ORDER.indexOf(b.result))
  return toTable(sorted, ['result', 'part', 'name', 'reason'], colour, REASON_CHARS_MAX)
}

/** `postern import-keys`: keys in the file go to the profiles that its converted documents made. */
export function importKeysCommand(ports: CliPorts, operation: Operation): Command {
  const command = new Command('import-keys')
    .description(`${operation.summary}. Exits with code 3 if a key is left out`)
    .argument('<file>', 'The YAML or JSON file that was converted; - is standard input')
    .requiredOption(
      '--name, --managed-by <set>',
      'Name under which the documents were applied. --name is an alias',
    )
    .option('--dry-run', 'Show what would be imported; store nothing')
    .option('--reason <text>', 'Reason, stored in the audit entries')
  return addCommonFlags(command).action(async (file: string, given: Given) => {
    const document = await readText(ports, file)
    const client = await connect(ports, given)
    const { body } = await client.call(
      operation,
      { document, managed_by: given.managedBy },
      {
        ...(given.dryRun === true && { dryRun: true }),
        ...(given.reason !== undefined && { reason: given.reason }),
      },
    )
    const { imported, present, left_out, keys } = ImportedKeys.parse(body)
    if (!printData(ports, given.output, body)) {
      ports.out(toTable(keys, ['result', 'key', 'profile', 'reason'], hasColour(ports), REASON_CHARS_MAX))
      ports.err(`Imported ${imported}, already there ${present}, left out ${left_out}.\n`)
    }
    if (left_out > 0) throw new Failed(EXIT.inexact)
  })
}

/** `name=text` of each; a text may have further equals signs. */
function valuesIn(given: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    given.map((one) => {
      const at = one.indexOf('=')
      if (at < 1) throw new UsageError('--value must be a name and a text, such as --value tenant=acme')
      return [one.slice(0, at), one.slice(at + 1)]
    }),
  )
}
