/** `postern doctor`: checks everything that a start needs, in the order of a start, and changes nothing. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { request as plainRequest } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { basename, join } from 'node:path'
import { createClock } from '../../base/clock.ts'
import { faultOfAccess, otherThanFile } from '../../base/files.ts'
import type { RunnerPlace } from '../../base/net/address.ts'
import { createEgress, NO_LISTENER } from '../../base/net/egress.ts'
import { createGuardedFetch } from '../../base/net/guarded-fetch.ts'
import { CannotStart } from '../../base/refusal.ts'
import { type IdentityProvider, toIdentityProviders } from '../../control/identity-provider.ts'
import { type ClientTrial, tryClient } from '../../oauth/sign-in/try-client.ts'
import { AUDIT_MARK } from '../../record/audit-mark.ts'
import { memberName, type OidcSettings } from '../../settings/oidc.ts'
import { readProviders } from '../../settings/providers-file.ts'
import { type RunnerSettings, readRunnerPlace } from '../../settings/runner-place.ts'
import { readSettings, type Settings } from '../../settings.ts'
import type { RecordsPlace, StorePlace, StorePlaces } from '../../store/ports/places.ts'
import type { LookAtValkey } from '../../store/ports/valkey.ts'
import type { ExamineRequest, Finding } from '../../surfaces/cli/ports.ts'
import { type DataFiles, filesIn, RESTORE_PART } from '../data-files.ts'
import { findInstance, findNodes } from './instance.ts'
import { findClock, findDirectory, findDisk, findKeyFile, findNode, findTls } from './machine.ts'
import { findStore } from './store.ts'
import { findValkey } from './valkey.ts'

/** One check. It answers what it found, several things at once, or nothing where there is nothing to look at. */
export type Check = (settings: Settings) => Promise<readonly Finding[]> | readonly Finding[]

/**
 * Looks at everything that a start needs and an instance lives from, and changes nothing: the store is read in a copy. A
 * check that itself breaks off is a finding too. In the order in which a start would meet them.
 */
export async function examine(
  places: StorePlaces,
  look: LookAtValkey,
  { data, env, isNetworkAsked }: ExamineRequest,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [findNode()]
  let settings: Settings
  try {
    settings = readSettings(data === null ? [] : ['--data', data], env)
    findings.push({ check: 'settings', state: 'ok', found: 'all settings are valid', fix: null })
  } catch (error) {
    if (!(error instanceof CannotStart)) throw error
    const fix = 'Correct it. docs/settings.md lists all settings.'
    return [...findings, { check: 'settings', state: 'fail', found: error.message, fix }]
  }
  const checks: Readonly<Record<string, Check>> = {
    'data directory': findDirectory,
    'disk space': findDisk,
    'key file': (its) => findKeyFile(places, its),
    'TLS files': findTls,
    instance: (its) => findInstance(places, its),
    store: (its) => findStore(places, its, isNetworkAsked),
    nodes: (its) => findNodes(places, its),
    valkey: (its) => findValkey(look, its),
    files: ({ data }) => findFiles(data, filesIn(data, places)),
    'identity providers': (its) => findProviders(its, isNetworkAsked),
    runner: ({ runner }) => findRunner(runner),
    clock: findClock,
  }
  for (const [check, look] of Object.entries(checks)) {
    try {
      findings.push(...(await look(settings)))
    } catch (error) {
      const fix = 'Check that the file can be read, and start again.'
      findings.push({ check, state: 'fail', found: (error as Error).message, fix })
    }
  }
  return findings
}

// Checks the runner of the settings.

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
          found: `the runner at ${place.text} refuses the token`,
          fix: 'Add the SHA-256 of the token in POSTERN_RUNNER_TOKEN_FILE to listen.tokens in the file of the runner.',
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

// Checks whether each identity provider accepts Postern as a client.

/** Whether the gateway is let in as a client at each identity provider. It asks there without a person. */
export async function findProviders(settings: Settings, isNetworkAsked: boolean): Promise<Finding[]> {
  let all: readonly OidcSettings[]
  let providers: readonly IdentityProvider[]
  try {
    all = readProviders(settings)
    providers = toIdentityProviders(all)
  } catch (error) {
    if (!(error instanceof CannotStart)) throw error
    const fix = 'Correct it before the next start; docs/identity.md describes the members.'
    return [{ check: 'identity providers', state: 'fail', found: error.message, fix }]
  }
  return Promise.all(
    all.map((one, index) => (isNetworkAsked ? tried(one, providers[index]!, settings) : untried(one))),
  )
}

/** The first provider has the plain name, which scripts know. */
const checkOf = ({ slug }: OidcSettings): string =>
  slug === null ? 'identity provider' : `identity provider ${slug}`

function untried(one: OidcSettings): Finding {
  const found = `${one.issuer}; --network tries the client authentication`
  return { check: checkOf(one), state: 'ok', found, fix: null }
}

async function tried(
  one: OidcSettings,
  provider: IdentityProvider,
  { origin, egressAllow }: Settings,
): Promise<Finding> {
  const egress = createEgress({ ...NO_LISTENER, allow: egressAllow })
  const trial = await tryClient({ provider, origin, clock: createClock(), fetch: createGuardedFetch(egress) })
  if (typeof trial !== 'string') return toFinding(one, trial)
  const found = `${one.issuer} cannot be used: ${trial}`
  const fix = `Check ${memberName(one, 'ISSUER')} and the network.`
  return { check: checkOf(one), state: 'fail', found, fix }
}

function toFinding(one: OidcSettings, { method, outcome, answer, instead }: ClientTrial): Finding {
  const setting = memberName(one, 'CLIENT_AUTH')
  const check = checkOf(one)
  const { issuer } = one
  switch (outcome) {
    case 'accepted':
      return { check, state: 'ok', found: `${issuer} accepts the client by ${method}`, fix: null }
    case 'refused':
      return {
        check,
        state: 'fail',
        found: `${issuer} refuses the client by ${method}: it answered ${answer}`,
        fix:
          instead === null
            ? `Check the client id and the secret or key, and ${setting}.`
            : `It accepts ${instead}: set ${setting} to that.`,
      }
    case 'unclear':
      return {
        check,
        state: 'warn',
        found: `${issuer} does not show whether it accepts the client by ${method}: it answered ${answer}`,
        fix: 'Sign in once to test it, and read the log.',
      }
  }
}

// Checks the files of the data directory beside the store.

/** A larger file is not read as a whole. */
const WHOLE_BYTES_MAX = 256 * 1024 * 1024

interface Judged {
  readonly place: StorePlace
  readonly damage: () => Promise<string | null>
  readonly fix: string
}

function judgedOf({ config, lastGood, records, keys, lock }: DataFiles): readonly Judged[] {
  return [
    {
      place: lastGood,
      damage: () => lastGood.damage(),
      fix: !config.isOnServer
        ? 'The next start creates it again from config.db. If config.db is damaged too, restore a backup with postern restore.'
        : 'The next start creates it again from the database.',
    },
    {
      place: records,
      damage: () => damageOfRecords(records),
      fix: 'Stop Postern, move the file away or delete it, and start Postern, which begins a new file. Or restore a backup that has the records.',
    },
    {
      place: keys,
      damage: () => keys.damage(),
      fix: 'The next start replaces it with a new file. Repeated requests then reach their upstream again.',
    },
    {
      place: lock,
      damage: () => lock.damage(),
      fix: 'It has no content, and the next start empties it. You can delete it.',
    },
  ]
}

async function damageOfRecords(records: RecordsPlace): Promise<string | null> {
  const damage = await records.damage()
  if (damage !== null || statSync(records.file).size > WHOLE_BYTES_MAX) return damage
  return records.damageOfAll()
}

/** What is damaged or left over in the data directory, beside the store. */
export async function findFiles(data: string, files: DataFiles): Promise<Finding[]> {
  if (!existsSync(data)) return []
  const findings: Finding[] = []
  const judged = judgedOf(files)
  for (const { place, damage, fix } of judged) {
    const { file } = place
    const found = existsSync(file) && otherThanFile(file) === null ? await damage() : null
    if (found !== null)
      findings.push({ check: basename(file), state: 'warn', found: `${file} is damaged: ${found}`, fix })
  }
  findings.push(...others(data, files), ...rewritten(files), ...withoutAccess(data, files))
  const part = join(data, RESTORE_PART)
  if (existsSync(part)) {
    const isServed = files.config.isThere()
    findings.push({
      check: RESTORE_PART,
      state: isServed ? 'warn' : 'fail',
      found: `${part} is left from an interrupted restore`,
      fix: isServed
        ? 'Delete it; if the start is refused, run postern restore again.'
        : 'Run postern restore again.',
    })
  }
  for (const name of readdirSync(data))
    if (/^[a-z]+\.(db|mark)(-[a-z]+)?\.damaged-\d+T\d+Z$/.test(name))
      findings.push({
        check: name,
        state: 'warn',
        found: `${join(data, name)} was moved aside by a start, because it was damaged or not a file`,
        fix: 'If you need its content, move it elsewhere. Otherwise delete it.',
      })
  return findings
}

/** What has the name of one of our files, and is none. */
function others(data: string, { config, lastGood, records, keys, lock }: DataFiles): Finding[] {
  const paths = [lastGood, records, keys, lock, config].flatMap(({ files }) => files.slice(0, 1))
  return [...paths, join(data, AUDIT_MARK)].flatMap((file): Finding[] => {
    const kind = otherThanFile(file)
    if (kind === null) return []
    const check = basename(file)
    const isNeeded = file === config.file || file === lock.file
    const state = isNeeded ? 'fail' : 'warn'
    const fix =
      file === config.file
        ? 'Move it away, and restore a backup with postern restore.'
        : file === lock.file
          ? 'Delete it while no instance runs.'
          : 'The next start renames it and creates the file again.'
    return [{ check, state, found: `${file} is ${kind}, not a file`, fix }]
  })
}

/** Files with what the engine keeps beside them, and what a start does without the right to write them. */
function effectsWithoutAccess(
  data: string,
  { config, lastGood, records, keys, lock }: DataFiles,
): readonly (readonly [files: readonly string[], effect: string])[] {
  return [
    [config.files, 'Postern would start with serving.db, and nothing could be changed.'],
    [lastGood.files, 'Postern would create it again from config.db.'],
    [
      records.files,
      'Postern would keep records only in memory, and drop and count them when memory is full.',
    ],
    [keys.files, 'Postern would keep idempotency keys only in memory.'],
    [lock.files, 'Postern would set its mode, or start with serving.db if the file belongs to another user.'],
    [[join(data, AUDIT_MARK)], 'Postern would replace it if its directory is writable.'],
  ]
}

/** Files that this user cannot write. Those in a directory that cannot be written are not looked at: that is one fault. */
function withoutAccess(data: string, files: DataFiles): Finding[] {
  if (faultOfAccess(data, 'write') !== null) return []
  return effectsWithoutAccess(data, files).flatMap(([paths, effect]): Finding[] => {
    if (paths.length === 0) return []
    const fault = paths.map((path) => faultOfAccess(path, 'write')).find((found) => found !== null)
    if (fault === undefined) return []
    const check = basename(paths[0]!)
    const state = paths === files.config.files ? 'fail' : 'warn'
    return [{ check, state, found: `${fault.found}. ${effect}`, fix: `${fault.fix}. Then start again.` }]
  })
}

/** A copy of config.db that a killed process has left. */
function rewritten({ config }: DataFiles): Finding[] {
  const copy = config.rewritten?.file
  if (copy === undefined || !existsSync(copy)) return []
  const isThere = config.isThere()
  const fix = isThere
    ? 'The next start removes it.'
    : 'The next start uses it if it is whole. Otherwise restore a backup with postern restore, then delete it.'
  const found = `${copy} was left by a process that was killed while it rewrote config.db`
  return [{ check: basename(copy), state: isThere ? 'warn' : 'fail', found, fix }]
}
