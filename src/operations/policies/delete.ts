import { deleteOf, refuseUsed } from '../delete-resource.ts'
import { policyKind } from './kind.ts'

export const deletePolicy = deleteOf(policyKind, refuseUsed)
