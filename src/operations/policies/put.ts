import { putOf } from '../crud.ts'
import { policyKind } from './kind.ts'

export const putPolicy = putOf(policyKind)
