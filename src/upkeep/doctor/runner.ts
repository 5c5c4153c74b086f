/** Checks the runner of the settings. */
import { request as plainRequest } from 'node:http'
import { request as tlsRequest } from 'node:https'
import type { RunnerPlace } from '../../base/net/runner-address.ts'
import { type RunnerSettings, readRunnerPlace } from '../../settings/runner-place.ts'
import type { Finding } from '../../surfaces/cli/ports.ts'

const ANSWER_MS_MAX = 5000
const BODY_BYTES_MAX = 1024 ** 2

/** Whether the runner of the settings answers, takes the token, and has entries. Nothing where the settings name none. */
export async function findRunner(settings: RunnerSettings | null): Promise<Finding[]> {
  const place = readRunnerPlace(settings)
  if (place === null) return []
  const check = 'runner'
  try {
    const { status, body } = await ask(place)
    if (status === 401)
      return [
        {
          check,
          state: 'fail',
          found: `the runner at ${place.text} does not know the token`,
          fix: 'Put the SHA-256 of the token of POSTERN_RUNNER_TOKEN_FILE into listen.tokens of its file.',
        },
      ]
    const { entries } = JSON.parse(body) as { entries?: unknown }
    if (status === 200 && Array.isArray(entries))
      return [
        {
          check,
          state: 'ok',
          found: `${place.text} answers; number of entries: ${entries.length}`,
          fix: null,
        },
      ]
    throw new Error(`it answered ${status}`)
  } catch (error) {
    const found = `${place.text} does not answer as a runner: ${(error as Error).message}`
    return [{ check, state: 'warn', found, fix: 'Start postern runner there, or correct POSTERN_RUNNER.' }]
  }
}

function ask({ address, isTls, token }: RunnerPlace): Promise<{ status: number; body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>()
  const outgoing = (isTls ? tlsRequest : plainRequest)(
    {
      ...address,
      path: '/entries',
      agent: false,
      headers: token === '' ? {} : { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    },
    (incoming) => {
      let body = ''
      incoming.setEncoding('utf8')
      incoming.on('data', (piece: string) => {
        body += piece
        if (body.length > BODY_BYTES_MAX) incoming.destroy(new Error('its answer is too long'))
      })
      incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, body }))
      incoming.on('error', reject)
    },
  )
  outgoing.on('error', reject)
  outgoing.end()
  return promise
}
