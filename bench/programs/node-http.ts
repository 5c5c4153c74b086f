/**
 * The usual way to write a gateway in Node: `node:http` in front, undici behind. Arguments: port, upstream port, and
 * for the governed work a file of tokens (one a line) and a log file: it looks the token up by its SHA-256, finds one of
 * 1,000 routes, checks 20 networks, counts a rate and a quota, injects headers and logs a line of text in batches.
 */
import { hash } from 'node:crypto'
import { createWriteStream, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { BlockList } from 'node:net'
import { Pool } from 'undici'
import { basePathOf, COLLECTIONS, pathOf, ROUTES_EACH } from '../measure/seed.ts'

const [port, upstreamPort] = process.argv.slice(2, 4).map(Number)
const [tokensFile, logFile] = process.argv.slice(4, 6)
const pool = new Pool(`http://127.0.0.1:${upstreamPort}`, { connections: 256, pipelining: 1 })

interface Counts {
  second: number
  inSecond: number
  today: number
}
const clients = new Map<string, Counts>()
if (tokensFile !== undefined)
  for (const token of readFileSync(tokensFile, 'utf8').trim().split('\n'))
    clients.set(hash('sha256', token, 'base64url'), { second: 0, inSecond: 0, today: 0 })
const routes = new Map<string, string>()
for (let collection = 0; collection < COLLECTIONS; collection++)
  for (let route = 0; route < ROUTES_EACH; route++)
    routes.set(`${basePathOf(collection)}${pathOf(route)}`, `${collection}.${route}`)
const networks = new BlockList()
for (let index = 0; index < 19; index++) networks.addSubnet(`10.${index}.0.0`, 16)
networks.addSubnet('127.0.0.0', 8)
const log = logFile === undefined ? null : createWriteStream(logFile)
let lines = ''
setInterval(() => {
  if (lines !== '') log?.write(lines)
  lines = ''
}, 200).unref()

const BACKEND = `Basic ${Buffer.from('backend:s3cr3t').toString('base64')}`
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'te', 'trailer'])

/** The status of a refusal, or 0. */
function judged(authorization: string | undefined, path: string, ip: string): number {
  const route = routes.get(path.slice(0, path.lastIndexOf('/')))
  if (route === undefined) return 404
  const client = clients.get(hash('sha256', authorization?.slice(7) ?? '', 'base64url'))
  if (client === undefined) return 401
  if (!networks.check(ip)) return 403
  const second = Math.floor(Date.now() / 1000)
  if (client.second !== second) {
    client.second = second
    client.inSecond = 0
  }
  if (client.inSecond >= 1_000_000 || client.today >= 1_000_000_000) return 429
  client.inSecond++
  client.today++
  return 0
}

createServer((request, response) => {
  const url = request.url ?? '/'
  const ip = request.socket.remoteAddress ?? ''
  const begun = performance.now()
  if (tokensFile !== undefined) {
    const status = judged(request.headers.authorization, url, ip)
    if (status !== 0) {
      response.writeHead(status).end()
      return
    }
  }
  const headers: string[] = []
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    const name = request.rawHeaders[i]!
    const lower = name.toLowerCase()
    if (HOP_BY_HOP.has(lower) || lower === 'host') continue
    if (tokensFile !== undefined && lower === 'authorization') continue
    headers.push(name, request.rawHeaders[i + 1]!)
  }
  headers.push('X-Forwarded-For', ip)
  if (tokensFile !== undefined) headers.push('Authorization', BACKEND)
  pool.dispatch(
    {
      path: url,
      // Node's parser gives one of the methods that undici knows.
      method: request.method as 'GET',
      headers,
      body: request.method === 'GET' || request.method === 'HEAD' ? null : request,
    },
    {
      onRequestStart() {},
      onResponseStart(_controller, status, fields) {
        for (const [name, value] of Object.entries(fields))
          if (!HOP_BY_HOP.has(name) && value !== undefined) response.setHeader(name, value)
        response.writeHead(status)
      },
      onResponseData(controller, chunk) {
        if (!response.write(chunk)) {
          controller.pause()
          response.once('drain', () => controller.resume())
        }
      },
      onResponseEnd() {
        response.end()
        if (log !== null)
          lines += `${Date.now()} ${ip} ${request.method} ${url} ${response.statusCode} ${(performance.now() - begun).toFixed(2)}\n`
      },
      onResponseError(_controller, error) {
        if (!response.headersSent) response.writeHead(502)
        response.end(String(error.message))
      },
    },
  )
}).listen(port, '127.0.0.1')
