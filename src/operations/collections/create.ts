import { createOf } from '../crud.ts'
import { collectionKind } from './kind.ts'

export const createCollection = createOf(collectionKind)
