raise ValueError('broken')
