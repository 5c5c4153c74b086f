import { DOORS } from '../base/doors.ts'
import type { Operation } from '../operations/engine/define.ts'

export const API_ROOT = DOORS.managementRest.path

export type HttpVerb = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** Where an operation lives in REST; OpenAPI, the client and the command line follow. */
export interface Route {
  readonly method: HttpVerb
  /** Below {@link API_ROOT}, such as `/collections/{id}/publish`. */
  readonly path: string
  /** The path names the resource, so `id` comes from there. */
  readonly byId: boolean
}

/** Actions that are the method itself; every other action is a last path segment. */
const PLAIN: Readonly<Record<string, { method: HttpVerb; byId: boolean }>> = {
  list: { method: 'GET', byId: false },
  get: { method: 'GET', byId: true },
  show: { method: 'GET', byId: false },
  create: { method: 'POST', byId: false },
  put: { method: 'PUT', byId: true },
  update: { method: 'PATCH', byId: true },
  delete: { method: 'DELETE', byId: true },
}

/** Method and path, from the action and the effect alone. */
export function routeOf(operation: Operation): Route {
  const base = `/${operation.resource}`
  const plain = Object.hasOwn(PLAIN, operation.action) ? PLAIN[operation.action] : undefined
  const byId = plain?.byId !== false && Object.hasOwn(operation.input.shape, 'id')
  // There is one of it
  if (plain?.byId === true && !byId) return { method: plain.method, byId, path: `${base}/current` }
  const method = plain?.method ?? (operation.effect === 'read' && operation.posted !== true ? 'GET' : 'POST')
  const item = byId ? `${base}/{id}` : base
  return { method, byId, path: plain === undefined ? `${item}/${operation.action}` : item }
}

/** The name of an operation in documents and audit: `collections.publish`. */
export function nameOf(operation: Operation): string {
  return `${operation.resource}.${operation.action}`
}

/** True when it cannot be undone, and so wants the slug of its subject as `confirm`. */
export function needsConfirmation(operation: Operation): boolean {
  return operation.effect === 'delete' || operation.refuses.includes('confirmation_required')
}
