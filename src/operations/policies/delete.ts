import { deleteOf, refuseUsed } from '../crud.ts'
import { policyKind } from './kind.ts'

export const deletePolicy = deleteOf(policyKind, refuseUsed)
