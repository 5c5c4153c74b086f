import { refuse } from '../base/refusal.ts'
import { ROLES, SCOPE_TYPES } from '../model/access.ts'
import { Slug } from '../model/common.ts'
import type { Role, Scope } from './principal.ts'

/** A grant as people write it: collections are slugs or ids. */
export interface WrittenGrant extends Scope {
  readonly role: Role
}

/**
 * Reads the compact form of a grant: a role, after `:` the resource types and after `@` the collections or `tag:…` that
 * it is narrowed to, each separated by commas: `modifier:proxies@payments`, `viewer@tag:partner`.
 * Refuses with input_invalid at `pointer`.
 */
export function readGrant(text: string, pointer: string): WrittenGrant {
  const fault = (reason: string) =>
    refuse('input_invalid', { detail: `"${text}" is no grant: ${reason}.`, errors: [{ pointer, reason }] })
  const [what = '', where, ...more] = text.split('@')
  const [name, some, ...rest] = what.split(':')
  if (more.length > 0 || rest.length > 0) throw fault('the form is role:types@collections')
  const role = ROLES.find((one) => one === name)
  if (role === undefined) throw fault(`the role is one of ${ROLES.join(', ')}`)
  const types = some === undefined ? [] : some.split(',')
  if (!types.every((type) => SCOPE_TYPES.some((known) => known === type)))
    throw fault(`after the colon stand types of ${SCOPE_TYPES.join(', ')}`)
  const places = where === undefined ? [] : where.split(',')
  const tags = places.filter((place) => place.startsWith('tag:')).map((place) => place.slice(4))
  const collections = places.filter((place) => !place.startsWith('tag:'))
  if (!tags.every((tag) => Slug.safeParse(tag).success)) throw fault('after tag: stands a tag')
  if (collections.includes('')) throw fault('after the @ stand collections, or tag: and a tag')
  return { role, types, verbs: [], collections, tags }
}
