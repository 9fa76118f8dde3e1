# A set of this many strings is hardly ever in order, whatever the seed; that of integers is.
import sys
print(list({3, 1, 2}), len({str(i) for i in range(100)}), sys.hash_info)
