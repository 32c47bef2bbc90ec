/**
 * Where dynoxide 1.2.1 answers otherwise than DynamoDB is documented to do, and why we hold it to be wrong. The words of a refusal
 * are not compared.
 */
export const differences: Record<string, Record<string, string>> = {
  items: {
    "a table name of two letters is refused":
      "It looks for the table before it checks the name: the API reference gives a name 3 letters at least.",
    "paths that conflict are refused": "It knows paths that overlap, not ones that take an attribute for a list and for a map.",
  },
  conditions: {
    "a value that is not defined is refused":
      "It evaluates the condition first, and does not look at what comes after the part that decides.",
    "a value that is not used is refused": "It evaluates the condition first.",
    "a comparison with itself is refused": "It does not check that operands are distinct.",
    "a type that there is not is refused": "It takes any text for the name of a type.",
    "IN takes at most 100 candidates": "It has no limit, where the developer guide says 100.",
  },
  updates: {
    "SET behind the end of a list appends":
      "It fills the gap with NULL. The developer guide: the element is added to the end of the list.",
    "REMOVE closes a list up":
      "It counts the second index after the first removal, where an update sees the item as it was before.",
    "DELETE of the last element takes the set away": "It compares numbers as text, so that 1.0 is not 1.",
    "an update of what is not there has no old item": "It gives the key as the old item.",
    "UPDATED_NEW of an element of a list": "It gives the whole list, not what was updated of it.",
    "a path into NULL is refused": "It takes NULL for an empty map.",
    "a removal by a path that leads nowhere is refused": "It takes such a removal for one of nothing.",
    "a path into an element of no list is refused": "It takes the removal of an element of a map for one of nothing.",
  },
  "queries and scans": {
    "one key": "It wants the partition key named first. The order of the two makes no difference to DynamoDB.",
    "a query's value has the key's type": "It finds nothing where DynamoDB refuses.",
    "a query's value is not empty": "It finds nothing where DynamoDB refuses.",
    "a page that begins in another partition is refused": "It does not check where a page begins.",
    "a page that begins outside the range is refused": "It does not check where a page begins.",
  },
  transactions: {
    "a part of two kinds is refused": "It takes the first kind.",
    "a condition that cannot be parsed is refused in a transaction": "It cancels. What is malformed never becomes a transaction.",
    "a value that is not used is refused in a transaction": "It cancels. What is malformed never becomes a transaction.",
    "an update of a key is refused in a transaction": "It updates the key, which leaves the item under its old one.",
    "reads may project": "It adds the key to what was asked for.",
  },
  tables: {
    "a stream that is on is not switched on": "It takes what DynamoDB refuses.",
    "time to live is not switched off where it is off": "It takes what DynamoDB refuses.",
    "time to live is not switched on twice": "It takes what DynamoDB refuses.",
  },
  streams: {
    "a put of the same item is no record": "The developer guide: a write that does not change the item is no record.",
    "an update that changes nothing is no record": "The developer guide: a write that does not change the item is no record.",
    "a record says where it comes from": "It counts the size as JSON, where DynamoDB counts names and values.",
    "a stream is described": "It leaves out the table's keys.",
  },
  "consumed capacity": {
    "a get of one attribute costs the whole item": "It charges what it answers, where DynamoDB charges what it reads.",
  },
}
