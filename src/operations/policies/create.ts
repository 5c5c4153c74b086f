import { createOf } from '../crud.ts'
import { policyKind } from './kind.ts'

export const createPolicy = createOf(policyKind)
