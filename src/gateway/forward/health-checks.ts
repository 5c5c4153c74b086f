import type { Clock } from '../../base/clock.ts'
import type { ActiveRules } from '../../snapshot/fragments.ts'
import type { LinkedTarget, TargetState } from '../../snapshot/linked-types/collection.ts'
import type { ClientCertificate } from '../../snapshot/linked-types/credential.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import type { CallResult } from '../../wire/port.ts'
import { bareGet, type Pools } from './pools.ts'

/** How often it is looked whether a check is due; real milliseconds. */
const TICK_MS = 200

/**
 * Active health checks: each gateway thread asks the targets of upstreams that have them, on its own, and leaves alone
 * those that do not answer.
 */
export interface HealthChecks {
  /** Checks what the snapshot says from now on; a check that is gone leaves its target healthy. */
  keepFor(snapshot: Snapshot): void
  close(): void
}

interface HealthCheck {
  target: LinkedTarget
  /** Of the collection's credential. */
  certificate: ClientCertificate | null
  rules: ActiveRules
  dueAt: number
  isAsking: boolean
}

/** The health checks of one gateway thread: one timer for all of them, and at most one question under way to each server. */
export function createHealthChecks(clock: Clock, pools: Pools): HealthChecks {
  let checks = new Map<TargetState, HealthCheck>()
  let timer: NodeJS.Timeout | null = null

  function tick(): void {
    const now = clock.monotonic()
    for (const check of checks.values()) {
      if (check.isAsking || now < check.dueAt) continue
      check.dueAt = now + check.rules.interval_ms
      ask(check)
    }
  }

  function ask(check: HealthCheck): void {
    const { target, certificate, rules } = check
    check.isAsking = true
    const settle = (isWell: boolean): void => {
      if (!check.isAsking) return
      check.isAsking = false
      // Another snapshot may have taken it off the list
      if (checks.get(target.state) === check) judge(target.state, rules, isWell)
    }
    const giveUpAt = clock.monotonic() + rules.timeout_ms
    const patience = setInterval(() => {
      if (clock.monotonic() < giveUpAt) return
      clearInterval(patience)
      handle.abort()
      settle(false)
    }, TICK_MS).unref()
    const handle = pools
      .of(target, certificate)
      .call(
        bareGet(target, rules.path, 'User-Agent: postern-health\r\nAccept: */*\r\n'),
        (result: CallResult) => {
          clearInterval(patience)
          settle(result.ok && result.status >= 200 && result.status < 400)
        },
      )
  }

  return {
    keepFor(snapshot) {
      const kept = new Map<TargetState, HealthCheck>()
      for (const { upstream, fragment } of snapshot.collections.values()) {
        if (upstream === null) continue
        const certificate = snapshot.credentials.get(fragment.credential ?? '')?.certificate ?? null
        const { active } = upstream.rules
        for (const target of upstream.targets) {
          if (active === null) target.state.isDown = false
          else {
            const known = checks.get(target.state)
            if (known === undefined)
              kept.set(target.state, { target, certificate, rules: active, dueAt: 0, isAsking: false })
            else {
              known.target = target
              known.certificate = certificate
              known.rules = active
              kept.set(target.state, known)
            }
          }
        }
      }
      checks = kept
      if (checks.size === 0) stop()
      else timer ??= setInterval(tick, TICK_MS).unref()
    },
    close: stop,
  }

  function stop(): void {
    if (timer !== null) clearInterval(timer)
    timer = null
  }
}

/** So many answers in a row change what is thought of a target. */
function judge(state: TargetState, rules: ActiveRules, isWell: boolean): void {
  if (isWell !== state.isDown) {
    state.contrary = 0
    return
  }
  state.contrary++
  if (state.contrary < (isWell ? rules.successes : rules.failures)) return
  state.isDown = !isWell
  state.contrary = 0
}
