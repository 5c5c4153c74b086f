import { getOf } from '../crud.ts'
import { policyKind } from './kind.ts'

export const getPolicy = getOf(policyKind)
