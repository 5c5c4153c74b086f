import { isPlain, type Plain } from '../../base/json/storable.ts'
import { listIn, nameOf, oddLists, refOf } from './members.ts'
import { type Effect, type Judged, judge } from './plugin-effects.ts'

export type Level = 'global' | 'service' | 'route' | 'consumer'

/** A plugin that is in force somewhere. */
export interface PluginInForce {
  readonly plugin: Plain
  readonly name: string
  readonly level: Level
  /** Such as `service orders`. */
  readonly owner: string
  readonly effect: Effect
  /** Options that are not carried over and close nothing, where they say something. */
  readonly ignored: readonly string[]
}

/** Plugins by name: of several, the most specific one is in force. */
export type PluginsByName = ReadonlyMap<string, PluginInForce>

const OWNERS = ['service', 'route', 'consumer', 'consumer_group'] as const

interface Owned {
  readonly plugin: Plain
  /** It holds for two owners together, such as a consumer at a service. */
  readonly isJoint: boolean
}

/** Finds the plugins of each owner, nested in it or at the top of the document, and what they mean. */
export class Plugins {
  readonly #byOwner = new Map<string, Owned[]>()
  readonly #unseen = new Map<string, string>()
  readonly #effects = new Map<Plain, Judged>()
  readonly #presets: Plain
  readonly #count: (parts: number) => void
  readonly global: PluginsByName

  /** @param count told how many parts are looked at; throws where they become too many */
  constructor(document: Plain, count: (parts: number) => void) {
    this.#count = count
    this.#presets = isPlain(document['_plugin_configs']) ? document['_plugin_configs'] : {}
    const global: Plain[] = []
    for (const plugin of listIn(document, 'plugins')) {
      const owners = OWNERS.filter((member) => plugin[member] != null)
      if (owners.length === 0) global.push(plugin)
      // The narrowest place closes it: a route before its service, that before a consumer
      const member = owners.find((one) => one === 'route') ?? owners[0]
      if (member === undefined) continue
      const key = `${member} ${refOf(plugin[member])}`
      const known = this.#byOwner.get(key) ?? []
      known.push({ plugin, isJoint: owners.length > 1 })
      this.#byOwner.set(key, known)
      this.#unseen.set(key, nameOf(plugin))
    }
    this.global = this.#inForce(
      global.map((plugin) => ({ plugin, isJoint: false })),
      'global',
      'all services',
      document,
    )
  }

  /** @param within what the owner stands in, so that a plugin that names it too is not joint */
  of(
    owner: Plain,
    member: Exclude<Level, 'global'> | 'consumer_group',
    within: readonly string[],
  ): PluginsByName {
    const keys = new Set(
      [owner['name'], owner['username'], owner['id']].filter((one) => typeof one === 'string'),
    )
    const top = [...keys].flatMap((key) => {
      this.#unseen.delete(`${member} ${key}`)
      return this.#byOwner.get(`${member} ${key}`) ?? []
    })
    const nested = listIn(owner, 'plugins').map((plugin) => ({
      plugin,
      isJoint: OWNERS.some((one) => one !== member && !within.includes(one) && plugin[one] != null),
    }))
    const level = member === 'consumer_group' ? 'consumer' : member
    return this.#inForce([...top, ...nested], level, `${member.replace('_', ' ')} ${nameOf(owner)}`, owner)
  }

  /** Plugins whose owner is not in the document, by that owner. */
  get unowned(): ReadonlyMap<string, string> {
    return this.#unseen
  }

  #inForce(list: readonly Owned[], level: Level, owner: string, source: Plain): PluginsByName {
    this.#count(list.length)
    const inForce = new Map<string, PluginInForce>()
    // What they were to protect is not known. No plugin has this name, so that a narrower one overrides nothing
    if (oddLists(source, ['plugins']).length > 0) {
      const name = `plugins of ${owner}`
      const reason = `${name} are not a list of plugins`
      const effect: Effect = { kind: 'closes', reason }
      inForce.set(name, { plugin: source, name, level, owner, effect, ignored: [] })
    }
    for (const { plugin, isJoint } of list) {
      // What is switched off holds nowhere, and overrides nothing
      if (plugin['enabled'] === false) continue
      const name = nameOf(plugin)
      const known = inForce.get(name)
      const judged: Judged =
        isJoint || known !== undefined
          ? {
              effect: { kind: 'closes', reason: `plugin ${name} applies to only a part of ${owner}` },
              ignored: [],
            }
          : this.#effectOf(plugin)
      inForce.set(name, { plugin, name, level, owner, ...judged })
    }
    return inForce
  }

  #effectOf(plugin: Plain): Judged {
    const known = this.#effects.get(plugin) ?? judge(plugin, this.#presets)
    this.#effects.set(plugin, known)
    return known
  }
}

/** What is in force for the routes of a service, or for one of them. */
export function narrowed(...levels: readonly PluginsByName[]): PluginsByName {
  return new Map(levels.flatMap((level) => [...level]))
}
