import type { Operation } from './define.ts'

const CRUD: Readonly<Record<string, { method: string; one: boolean }>> = {
  list: { method: 'GET', one: false },
  get: { method: 'GET', one: true },
  create: { method: 'POST', one: false },
  update: { method: 'PATCH', one: true },
  put: { method: 'PUT', one: true },
  delete: { method: 'DELETE', one: true },
}

/** Method and path of an operation below `/management/v1`; `{id}` stands for its `id`. */
export function httpOf(operation: Operation): { readonly method: string; readonly path: string } {
  const { resource, action, effect, input } = operation
  const crud = CRUD[action]
  if (crud !== undefined)
    return { method: crud.method, path: crud.one ? `/${resource}/{id}` : `/${resource}` }
  const place = 'id' in input.shape ? `/${resource}/{id}` : `/${resource}`
  return { method: effect === 'read' ? 'GET' : 'POST', path: `${place}/${action}` }
}

/** MCP tool annotations. */
export interface Hints {
  readonly readOnlyHint: boolean
  readonly destructiveHint: boolean
  readonly idempotentHint: boolean
  readonly openWorldHint: false
}

export function hintsOf(operation: Operation): Hints {
  const { effect } = operation
  return {
    readOnlyHint: effect === 'read',
    // Revoking ends what works, as deleting does; the rest of the acts can be taken back.
    destructiveHint: effect === 'delete' || operation.action === 'revoke',
    idempotentHint: isIdempotent(operation),
    openWorldHint: false,
  }
}

/** Repeating the call changes nothing more. */
function isIdempotent({ effect, idempotent }: Operation): boolean {
  return idempotent ?? (effect === 'read' || effect === 'update' || effect === 'delete')
}
