/** A broker of accounts at origins that stands for the main thread: people connect, tokens are renewed, connections end. */
import { createClock } from '../../src/base/clock.ts'
import { type Connections, createConnections } from '../../src/gateway/forward/connections.ts'
import type { ConnectionAnswer, RefusedConnection } from '../../src/model/access/caller.ts'
import type { AccountOrigin } from './account-origin.ts'

interface Account {
  readonly connection: string
  generation: number
  /** What the origin has refused twice is renewed no more. */
  hasFailed: boolean
}

interface Asked {
  readonly user: string
  readonly origin: string
  readonly refused: RefusedConnection | null
}

export interface AccountBroker {
  readonly connections: Connections
  readonly asked: readonly Asked[]
  /** Connects the account of a person, empty for that of all callers, at an origin, in the place of the one before. */
  connect(user: string, origin: string, at: Pick<AccountOrigin, 'accept'>): void
  /** The token of the account now. */
  tokenOf(user: string, origin: string): string
  /** Ends the account, as all threads hear it. */
  end(user: string, origin: string): void
  /** New tokens are those that the origin does not take. */
  breakRenewal(): void
}

/** The page on which a person connects an account at an origin. @param origin id */
export const pageOf = (origin: string): string => `https://postern.test/connect/${origin}?for=mark`

export function accountBroker(): AccountBroker {
  const accounts = new Map<string, Account>()
  const origins = new Map<string, Pick<AccountOrigin, 'accept'>>()
  const ended = new Set<string>()
  const asked: Asked[] = []
  const clock = createClock()
  let made = 0
  let isBroken = false
  const keyOf = (user: string, origin: string): string => `${user} ${origin}`
  const textOf = (key: string, { connection, generation }: Account): string =>
    `at-${key.replace(' ', '-')}-${connection}-${generation}`

  function renew(key: string, origin: string, account: Account): void {
    account.generation++
    if (isBroken) return
    const [user] = key.split(' ')
    origins.get(origin)!.accept(textOf(key, account), user!)
  }

  function answer(user: string, origin: string, refused: RefusedConnection | null): ConnectionAnswer {
    asked.push({ user, origin, refused })
    const key = keyOf(user, origin)
    const account = accounts.get(key)
    const isNow = account?.connection === refused?.connection && account?.generation === refused?.generation
    if (account !== undefined && refused !== null && isNow) {
      if (refused.isAgain === true) account.hasFailed = true
      else renew(key, origin, account)
    }
    if (account === undefined || account.hasFailed) {
      const reason = account === undefined ? 'No account is connected.' : 'The origin refuses the account.'
      return { ok: false, code: 'connect_required', reason, page: user === '' ? null : pageOf(origin) }
    }
    return {
      ok: true,
      ...account,
      header: 'Authorization',
      value: `Bearer ${textOf(key, account)}`,
      until: clock.now() + 600_000,
    }
  }

  const connections = createConnections({
    ask: async (...question) => answer(...question),
    hasEnded: (connection) => ended.has(connection),
    epoch: () => 0,
    clock,
  })

  function end(user: string, origin: string): void {
    const key = keyOf(user, origin)
    const account = accounts.get(key)
    if (account === undefined) return
    accounts.delete(key)
    ended.add(account.connection)
    connections.look()
  }

  return {
    connections,
    asked,
    connect(user, origin, at) {
      end(user, origin)
      origins.set(origin, at)
      const account: Account = { connection: `con_${++made}`, generation: 1, hasFailed: false }
      const key = keyOf(user, origin)
      accounts.set(key, account)
      at.accept(textOf(key, account), user)
    },
    tokenOf(user, origin) {
      const key = keyOf(user, origin)
      return textOf(key, accounts.get(key)!)
    },
    end,
    breakRenewal() {
      isBroken = true
    },
  }
}
