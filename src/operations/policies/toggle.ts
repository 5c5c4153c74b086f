import { toggleOf } from '../crud.ts'
import { policyKind } from './kind.ts'

export const togglePolicy = toggleOf(policyKind)
