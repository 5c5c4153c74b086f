import { Command } from 'commander'
import { isPlain } from '../../base/json/storable.ts'
import { printable } from '../../base/text/visible.ts'
import type { Operation } from '../../operations/engine/define.ts'
import { addCommonFlags, type Format, repeated } from './common-flags.ts'
import { connect, type Where } from './connect.ts'
import { UsageError } from './exit.ts'
import type { CliPorts } from './ports.ts'
import { printAnswer } from './print.ts'

interface Given extends Where {
  readonly requestId?: string
  readonly client?: string
  readonly profile?: string
  readonly ip?: string
  readonly host?: string
  readonly headers?: readonly string[]
  readonly header?: readonly string[]
  readonly long?: boolean
  readonly output: Format
}

/** `postern explain`: what becomes of a request, and why. */
export function explainCommand(ports: CliPorts, operation: Operation): Command {
  const command = new Command('explain')
    .description(operation.summary)
    .argument('[method]', 'Such as GET')
    .argument('[url]', 'Path and query, or a complete URL')
    .option('--request-id <id>', 'Explain a recorded request with the current configuration')
    .option('--client <client>', 'Client that makes the request, treated as authenticated')
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
    .option('-l, --long', 'Show every route that matches the path, and every check')
    .addHelpText(
      'after',
      '\nExamples:\n  postern explain GET /orders/v1/orders/7 --client acme\n  postern explain --request-id req_01j9zk3v5q8t2w4x6y8z0a1b2c\n',
    )
  return addCommonFlags(command).action(
    async (method: string | undefined, url: string | undefined, given: Given) => {
      if (given.requestId === undefined && (method === undefined || url === undefined))
        throw new UsageError('Give a method and a URL, such as GET /orders/v1/orders/7, or --request-id.')
      const client = await connect(ports, given)
      const headers = [...(given.headers ?? []), ...(given.header ?? [])]
      const { body } = await client.call(
        operation,
        {
          ...(given.requestId !== undefined && { request_id: given.requestId }),
          ...(method !== undefined && { method: method.toUpperCase() }),
          ...(url !== undefined && { target: url }),
          ...(given.client !== undefined && { client: given.client }),
          ...(given.profile !== undefined && { profile: given.profile }),
          ...(given.ip !== undefined && { ip: given.ip }),
          ...(given.host !== undefined && { host: given.host }),
          ...(headers.length > 0 && { headers }),
        },
        {},
      )
      if (given.output !== 'table') return printAnswer(ports, given.output, body, operation.columns)
      ports.out(given.long === true ? longText(body) : shortText(body))
    },
  )
}

type Row = Readonly<Record<string, unknown>>

const rowsOf = (body: Row, name: string): readonly Row[] =>
  Array.isArray(body[name]) ? (body[name] as readonly Row[]) : []
const text = (value: unknown): string => printable(String(value))

/** Routes, and checks of one result, that the short form shows. */
const SHORT_MAX = 3

/** What decides: the summary, the route, the checks that refuse, answer or could not be judged, and where the request goes. */
function shortText(body: Row): string {
  const checks = rowsOf(body, 'checks')
  const routes = rowsOf(body, 'candidates')
  const first = [...routes].sort((a, b) => Number(b['wins'] === true) - Number(a['wins'] === true))
  const decides = checks.filter(({ result }) => result === 'refuse' || result === 'answer')
  const open = checks.filter(({ result }) => result === 'not_judged')
  const [shown, judged] = [first.slice(0, SHORT_MAX), open.slice(0, SHORT_MAX)]
  const left = [
    ...counted(routes.length - shown.length, 'further route', 'further routes'),
    ...counted(checks.filter(({ result }) => result === 'pass').length, 'check passes', 'checks pass'),
    ...counted(
      open.length - judged.length,
      'further check is not evaluated',
      'further checks are not evaluated',
    ),
    ...counted(
      checks.filter(({ result }) => result === 'not_reached').length,
      'check is not reached',
      'checks are not reached',
    ),
  ]
  const rest = left.length === 0 ? [] : [`${left.join(', ')}: --long shows them.`]
  const lines = [
    text(body['summary']),
    ...shown.map(routeLine),
    ...[...decides.slice(0, SHORT_MAX), ...judged].map(checkLine),
    ...forwardLine(body['forward']),
    ...rest,
  ]
  return `${lines.join('\n')}\n`
}

function counted(count: number, one: string, many: string): string[] {
  return count <= 0 ? [] : [`${count} ${count === 1 ? one : many}`]
}

function forwardLine(forward: unknown): string[] {
  if (!isPlain(forward)) return []
  const { method, upstream, path, credential } = forward
  const using = credential === null ? '' : ` with the credential ${text(credential)}`
  return [`  forwards ${text(method)} ${text(path)} to ${text(upstream)}${using}`]
}

function longText(body: Row): string {
  const lines = [text(body['summary'])]
  const routes = rowsOf(body, 'candidates')
  if (routes.length > 0) lines.push('', 'Routes that match the path:', ...routes.map(routeLine))
  lines.push('', 'Checks:', ...rowsOf(body, 'checks').map(checkLine), ...forwardLine(body['forward']))
  return `${lines.join('\n')}\n`
}

function routeLine({ collection, proxy, path, methods, wins, reason }: Row): string {
  const name = proxy === null ? text(collection) : `${text(collection)}:${text(proxy)}`
  const verbs = Array.isArray(methods) && methods.length > 0 ? `${methods.map(text).join(',')} ` : ''
  return `  ${wins === true ? '*' : ' '} ${name}  ${verbs}${text(path)}: ${text(reason)}`
}

const MARKS: Readonly<Record<string, string>> = { pass: 'pass   ', refuse: 'REFUSE ', answer: 'ANSWER ' }

function checkLine({ name, result, code, reason, setting }: Row): string {
  const mark = MARKS[String(result)] ?? '-      '
  const decides = setting === null ? '' : ` [${text(setting)}]`
  const refusal = code === null ? '' : ` ${text(code)}:`
  return `  ${mark}${text(name)}:${refusal} ${text(reason)}${decides}`
}
