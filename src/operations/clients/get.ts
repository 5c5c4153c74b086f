import { getOf } from '../crud.ts'
import { clientKind } from './kind.ts'

export const getClient = getOf(clientKind)
