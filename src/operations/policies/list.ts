import { listOf } from '../crud.ts'
import { policyKind } from './kind.ts'

export const listPolicies = listOf(policyKind)
