x = eval("1 +")
