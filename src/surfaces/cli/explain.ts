import { Command } from 'commander'
import { printable } from '../../base/text/visible.ts'
import type { Operation } from '../../operations/engine/define.ts'
import { addCommonFlags, type Format, repeated } from './common-flags.ts'
import { connect, type Where } from './connect.ts'
import type { CliPorts } from './ports.ts'
import { printAnswer } from './print.ts'

interface Given extends Where {
  readonly client?: string
  readonly profile?: string
  readonly ip?: string
  readonly host?: string
  readonly headers?: readonly string[]
  readonly header?: readonly string[]

  readonly output: Format
}

/** `postern explain`: what becomes of a request, and why. */
export function explainCommand(ports: CliPorts, operation: Operation): Command {
  const command = new Command('explain')
    .description(operation.summary)
    .argument('<method>', 'Such as GET')
    .argument('<url>', 'Path and query, or a complete URL')
    .option('--client <client>', 'Client that calls, treated as authenticated')
    .option('--profile <profile>', 'Profile of the client')
    .option('--ip <address>', 'Address of the caller')
    .option('--host <host>', 'Host of the request. Default: the host of the URL')
    .option(
      '-H, --headers <line>',
      'Header line of the request, such as "Accept: text/plain"; repeat for each header line',
      repeated,
      [],
    )
    .option('--header <line>', 'Alias of --headers', repeated, [])
  return addCommonFlags(command).action(async (method: string, url: string, given: Given) => {
    const client = await connect(ports, given)
    const headers = [...(given.headers ?? []), ...(given.header ?? [])]
    const { body } = await client.call(
      operation,
      {
        method: method.toUpperCase(),
        target: url,
        ...(given.client !== undefined && { client: given.client }),
        ...(given.profile !== undefined && { profile: given.profile }),
        ...(given.ip !== undefined && { ip: given.ip }),
        ...(given.host !== undefined && { host: given.host }),
        ...(headers.length > 0 && { headers }),
      },
      {},
    )
    if (given.output !== 'table') return printAnswer(ports, given.output, body, operation.columns)
    ports.out(explanationText(body))
  })
}

type Row = Readonly<Record<string, unknown>>

function explanationText(body: Row): string {
  const rows = (name: string): Row[] => (Array.isArray(body[name]) ? (body[name] as Row[]) : [])
  const text = (value: unknown): string => printable(String(value))
  const lines = [text(body['summary'])]
  if (rows('candidates').length > 0) lines.push('', 'Routes that fit the path:')
  for (const { collection, proxy, path, methods, wins, reason } of rows('candidates')) {
    const name = proxy === null ? text(collection) : `${text(collection)}:${text(proxy)}`
    const verbs = Array.isArray(methods) && methods.length > 0 ? `${methods.map(text).join(',')} ` : ''
    lines.push(`  ${wins === true ? '*' : ' '} ${name}  ${verbs}${text(path)}: ${text(reason)}`)
  }
  lines.push('', 'Checks:')
  for (const { name, result, code, reason, setting } of rows('checks')) {
    const marks: Readonly<Record<string, string>> = { pass: 'pass   ', refuse: 'REFUSE ', answer: 'ANSWER ' }
    const mark = marks[String(result)] ?? '-      '
    const decides = setting === null ? '' : ` [${text(setting)}]`
    const refusal = code === null ? '' : ` ${text(code)}:`
    lines.push(`  ${mark}${text(name)}:${refusal} ${text(reason)}${decides}`)
  }
  return `${lines.join('\n')}\n`
}
