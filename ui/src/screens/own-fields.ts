/** Fields of forms that are made by hand, by resource and member. All others derive from the OpenAPI document. */
import type { OwnFields } from '../forms/form-state.tsx'
import { LimitsField, ShortLimitField } from './policies/limits-field.tsx'

export const OWN_FIELDS: Readonly<Record<string, OwnFields>> = {
  policies: { limits: LimitsField, rate: ShortLimitField, quota: ShortLimitField },
}
