/** Fields of forms that are made by hand, by resource and member. All others derive from the OpenAPI document. */
import type { JsonObject } from '../../build/document.ts'
import type { OperationRow } from '../api/client.ts'
import { wordOf } from '../forms/actions.ts'
import type { OwnFields } from '../forms/form-state.tsx'
import { cascadeField } from './collections/cascade-field.tsx'
import { LimitsField, ShortLimitField } from './policies/limits-field.tsx'

export const OWN_FIELDS: Readonly<Record<string, OwnFields>> = {
  policies: { limits: LimitsField, rate: ShortLimitField, quota: ShortLimitField },
}

/** Fields made by hand of an action on a resource. A component is made for each dialog: the caller keeps it. */
export function ownFieldsOf({ resource, action }: OperationRow, value: JsonObject): OwnFields {
  if (resource !== 'collections' || action !== 'publish') return OWN_FIELDS[resource] ?? {}
  return { cascade: cascadeField(String(value['id']), wordOf({ action }, value) === 'Publish') }
}
